import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import pg from "pg";
import { isAlive, waitForEnd } from "../process/pid.ts";
import { freePort } from "../process/port.ts";
import { restoreLinks } from "./binaries.ts";
import { type RunningPostgres, startPostgres } from "./embedded.ts";

// Made by mkdtemp, so only this user can read it: root's server, which runs as nobody, included.
const top = mkdtempSync(join(tmpdir(), "meridian-postgres-"));
const dataDir = join(top, "kept");
after(() => rmSync(top, { recursive: true, force: true }));

async function query(server: RunningPostgres, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: server.url });
  await client.connect();
  try {
    return (await client.query({ text: sql, rowMode: "array" })).rows.flat();
  } finally {
    await client.end();
  }
}

test("a server starts, keeps its data over a stop, and leaves no process", async () => {
  const first = await startPostgres({ dataDir });
  await query(first, "create table kept as select 7 as number");
  assert.deepEqual(
    await query(first, "select current_setting('listen_addresses')"),
    ["127.0.0.1"],
    "only this machine reaches it",
  );
  assert.equal(statSync(join(dataDir, "password")).mode & 0o777, 0o600);
  await first.stop();
  await first.ended;
  assert.equal(isAlive(first.pid), false);

  const second = await startPostgres({ dataDir });
  assert.deepEqual(await query(second, "select number from kept"), [7]);
  await second.stop();
});

test("without the password nobody gets in", async () => {
  const server = await startPostgres({ dataDir });
  try {
    const url = new URL(server.url);
    url.password = "guessed";
    const client = new pg.Client({ connectionString: url.href });
    await assert.rejects(client.connect(), /password authentication failed/);
  } finally {
    await server.stop();
  }
});

test("a server whose parent was killed is adopted, and stop really stops it", async () => {
  const parent = spawn(
    process.execPath,
    [
      "--input-type=module",
      "--eval",
      `const { startPostgres } = await import(${JSON.stringify(import.meta.resolve("./embedded.ts"))});
       const { pid } = await startPostgres({ dataDir: ${JSON.stringify(dataDir)} });
       console.log(pid);
       setInterval(() => {}, 1000);`,
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const pid = Number(await new Promise((resolve) => parent.stdout.once("data", resolve)));
  parent.kill("SIGKILL");
  await new Promise((resolve) => parent.once("exit", resolve));
  assert.equal(isAlive(pid), true, "PostgreSQL outlives its parent");

  const lines: string[] = [];
  const adopted = await startPostgres({ dataDir, log: (line) => lines.push(line) });
  assert.equal(adopted.pid, pid);
  assert.match(lines.join(), /adopted/);
  assert.deepEqual(await query(adopted, "select number from kept"), [7]);
  await adopted.stop();
  assert.equal(isAlive(pid), false);
  await adopted.ended;
});

test("after kill -9 of the server itself a start recovers", async () => {
  const first = await startPostgres({ dataDir });
  process.kill(first.pid, "SIGKILL");
  assert.equal(await waitForEnd(first.pid, 5_000), true);
  const second = await startPostgres({ dataDir });
  assert.deepEqual(await query(second, "select number from kept"), [7]);
  await second.stop();
});

test("a postmaster.pid whose number now belongs to a stranger is cleared", async () => {
  const stale = [process.pid, "/somewhere", "1700000000", "5432", "", "127.0.0.1", "", "ready"];
  writeFileSync(join(dataDir, "data/postmaster.pid"), `${stale.join("\n")}\n`);
  const server = await startPostgres({ dataDir });
  assert.notEqual(server.pid, process.pid);
  await server.stop();
});

test("a server that still runs but hangs is ended, and another started", async () => {
  const first = await startPostgres({ dataDir });
  process.kill(first.pid, "SIGSTOP");
  const lines: string[] = [];
  const log = (line: string) => lines.push(line);
  const second = await startPostgres({ dataDir, startDeadlineMs: 5_000, log });
  assert.match(lines.join(), /does not answer/);
  assert.equal(isAlive(first.pid), false);
  assert.deepEqual(await query(second, "select number from kept"), [7]);
  await second.stop();
});

test("a port in use is named", async () => {
  const port = await freePort();
  const squatter = createServer().listen(port, "127.0.0.1");
  await new Promise((resolve) => squatter.once("listening", resolve));
  try {
    await assert.rejects(startPostgres({ dataDir: join(top, "port"), port }), {
      message: `port ${port} for PostgreSQL is in use: choose another`,
    });
  } finally {
    squatter.close();
  }
});

test("data of another major version is refused with what to do", async () => {
  const old = join(top, "old");
  mkdirSync(join(old, "data"), { recursive: true });
  writeFileSync(join(old, "data/PG_VERSION"), "14\n");
  await assert.rejects(startPostgres({ dataDir: old }), /is of PostgreSQL 14, this is 18: start/);
});

test("a start that fails ends with the server's own last words", async () => {
  await assert.rejects(
    startPostgres({ dataDir: join(top, "wrong"), settings: { shared_buffers: "many" } }),
    /PostgreSQL did not start: .*shared_buffers/,
  );
});

test("library links that npm --ignore-scripts leaves out are made", () => {
  const native = join(top, "package/native");
  mkdirSync(join(native, "lib"), { recursive: true });
  writeFileSync(join(native, "lib/libpq.so.5.18"), "");
  writeFileSync(join(native, "lib/libz.so.1.2"), "");
  const links = ["libpq.so.5", "libz.so.1"].map((name) => ({
    source: `native/lib/${name}.${name === "libpq.so.5" ? 18 : 2}`,
    target: `native/lib/${name}`,
  }));
  writeFileSync(join(native, "pg-symlinks.json"), JSON.stringify(links));
  symlinkSync("libz.so.1.2", join(native, "lib/libz.so.1"));
  restoreLinks(native);
  assert.equal(readlinkSync(join(native, "lib/libpq.so.5")), "libpq.so.5.18");
  assert.equal(readlinkSync(join(native, "lib/libz.so.1")), "libz.so.1.2");
});
