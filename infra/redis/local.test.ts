import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Redis } from "ioredis";
import { isAlive, waitForEnd } from "../process/pid.ts";
import { freePort } from "../process/port.ts";
import { findRedisServer, type RunningRedis, startRedis } from "./local.ts";

const top = mkdtempSync(join(tmpdir(), "meridian-redis-"));
const dir = join(top, "with a blank");
const serverPath = findRedisServer(process.env);
const KEPT = "meridian:testing:kept";
after(() => rmSync(top, { recursive: true, force: true }));

async function ask<T>(server: RunningRedis, question: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(server.url, {
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    enableReadyCheck: false,
    disableClientInfo: true,
  });
  // What the server refuses reports here too; the question's own failure is what counts.
  client.on("error", () => {});
  try {
    return await question(client);
  } finally {
    client.disconnect();
  }
}

test("a server keeps its data over a stop, wants a password, and leaves no process", async () => {
  const first = await startRedis({ dir, serverPath });
  await ask(first, (client) => client.set(KEPT, "7"));
  for (const file of ["redis.conf", "users.acl", "password"]) {
    assert.equal(statSync(join(dir, file)).mode & 0o777, 0o600, file);
  }
  const url = new URL(first.url);
  url.password = "guessed";
  await assert.rejects(
    ask({ ...first, url: url.href }, (client) => client.get(KEPT)),
    /WRONGPASS|NOAUTH|Connection is closed/,
  );
  await first.stop();
  await first.ended;
  assert.equal(isAlive(first.pid), false);

  const second = await startRedis({ dir, serverPath });
  assert.equal(await ask(second, (client) => client.get(KEPT)), "7");
  await second.stop();
});

test("a node's user reaches its own keys and channels, and no command that rules the server", async () => {
  const server = await startRedis({ dir, serverPath });
  const denied: [string, ...string[]][] = [
    ["set", "other", "1"],
    ["get", "other"],
    ["subscribe", "other"],
    ["publish", "other", "1"],
    ["keys", "*"],
    ["scan", "0"],
    ["flushall"],
    ["config", "get", "*"],
    ["acl", "list"],
    ["client", "list"],
    ["monitor"],
    ["shutdown"],
  ];
  await ask(server, async (client) => {
    for (const [command, ...args] of denied) {
      await assert.rejects(client.call(command, ...args), /NOPERM/, command);
    }
    const script = "return redis.call('incr', KEYS[1])";
    assert.equal(await client.eval(script, 1, "meridian:testing:count"), 1);
    await assert.rejects(client.eval(script, 1, "other"), /NOPERM|can't access/);
    await client.publish("meridian:testing:news", "1");
    await client.del("meridian:testing:count");
  });
  const anybody = new URL(server.url);
  anybody.username = "";
  anybody.password = "";
  await assert.rejects(
    ask({ ...server, url: anybody.href }, (client) => client.get(KEPT)),
    /NOAUTH|Connection is closed/,
  );
  await server.stop();
});

test("the core's user reaches its own keys by its own commands, and nothing else", async () => {
  const server = await startRedis({ dir: join(top, "core"), serverPath, user: "core" });
  const denied: [string, ...string[]][] = [
    ["get", "meridian:beijing:incarnation"],
    ["lpush", "meridian:core:queue", "1"],
    ["publish", "meridian:core:news", "1"],
    ["keys", "*"],
    ["scan", "0"],
    ["flushall"],
    ["config", "get", "*"],
    ["acl", "list"],
    ["client", "list"],
    ["shutdown"],
  ];
  await ask(server, async (client) => {
    assert.equal(new URL(server.url).username, "core");
    for (const [command, ...args] of denied) {
      await assert.rejects(client.call(command, ...args), /NOPERM/, command);
    }
    await client.hset("meridian:core:queue", "a", "1");
    assert.match(await client.info("server"), /run_id:/);
  });
  await server.stop();
});

test("a server whose parent was killed is adopted, and stop really stops it", async () => {
  const parent = spawn(
    process.execPath,
    [
      "--input-type=module",
      "--eval",
      `const { startRedis } = await import(${JSON.stringify(import.meta.resolve("./local.ts"))});
       const { pid } = await startRedis(${JSON.stringify({ dir, serverPath })});
       console.log(pid);
       setInterval(() => {}, 1000);`,
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const pid = Number(await new Promise((resolve) => parent.stdout.once("data", resolve)));
  parent.kill("SIGKILL");
  await new Promise((resolve) => parent.once("exit", resolve));
  assert.equal(isAlive(pid), true, "Redis outlives its parent");

  const adopted = await startRedis({ dir, serverPath });
  assert.equal(adopted.pid, pid);
  assert.equal(await ask(adopted, (client) => client.get(KEPT)), "7");
  await adopted.stop();
  assert.equal(isAlive(pid), false);
  await adopted.ended;
});

test("after kill -9 a start goes on with the data; a stranger's pid is left alone", async () => {
  const first = await startRedis({ dir, serverPath });
  process.kill(first.pid, "SIGKILL");
  assert.equal(await waitForEnd(first.pid, 5_000), true);
  writeFileSync(join(dir, "redis.pid"), `${process.pid}\n`);
  const second = await startRedis({ dir, serverPath });
  assert.notEqual(second.pid, process.pid);
  assert.equal(await ask(second, (client) => client.get(KEPT)), "7");
  await second.stop();
});

test("a port in use is named", async () => {
  const port = await freePort();
  const squatter = createServer().listen(port, "127.0.0.1");
  await new Promise((resolve) => squatter.once("listening", resolve));
  try {
    await assert.rejects(startRedis({ dir: join(top, "port"), serverPath, port }), {
      message: `port ${port} for Redis is in use: choose another`,
    });
  } finally {
    squatter.close();
  }
});

test("a missing, an old and a broken redis-server each get one clear line", () => {
  assert.throws(() => findRedisServer({ PATH: "" }), /install it, or set REDIS_SERVER/);
  const fake = join(top, "redis-server");
  const pretend = (line: string) => {
    writeFileSync(fake, `#!/bin/sh\n${line}\n`);
    chmodSync(fake, 0o755);
  };
  pretend("echo 'Redis server v=3.2.1 sha=0'");
  assert.throws(
    () => findRedisServer({ PATH: top }),
    /is v=3.2, Meridian needs Redis 6.2 or newer/,
  );
  pretend("exit 1");
  assert.throws(() => findRedisServer({ REDIS_SERVER: fake }), /does not run as Redis/);
  pretend("echo 'Redis server v=7.0.15 sha=0'");
  assert.equal(findRedisServer({ REDIS_SERVER: fake, PATH: "" }), fake);
});

test("a start that fails ends with the server's own last words", async () => {
  const broken = join(top, "broken");
  const fake = join(top, "failing");
  writeFileSync(fake, "#!/bin/sh\necho 'Fatal error, the disk is upside down'\nexit 1\n");
  chmodSync(fake, 0o755);
  await assert.rejects(
    startRedis({ dir: broken, serverPath: fake }),
    /Redis did not start: Fatal error, the disk is upside down/,
  );
});
