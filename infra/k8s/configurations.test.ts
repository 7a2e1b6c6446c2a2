/** What the manifests give to programs that are not ours, taken by those programs of this machine. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, type TestContext, test } from "node:test";
import { Redis } from "ioredis";
import { until } from "../../test/until.ts";
import { programAt } from "../process/find-program.ts";
import { freePort } from "../process/port.ts";
import { aclOf, type RedisUser } from "../redis/access.ts";
import { findRedisServer } from "../redis/local.ts";

const BASE = join(import.meta.dirname, "base");
const HAPROXY_FOLDERS = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"];
const PASSWORD = "of an example";
const RETRIES_MAX = 100;
const RETRY_MS = 50;
/** Of three backends, each of which takes a core out at the second. */
const FAILED_CHECKS = 3 * 2;

const dir = mkdtempSync(join(tmpdir(), "meridian-k8s-"));
after(() => rmSync(dir, { recursive: true }));

/** `sure`: it leads; `alone`: it did, and the database is away. */
type Standing = "sure" | "alone" | "following";

/** Answers as a core does (core/ops/health.ts), on one port for all. */
async function startCore(t: TestContext, name: string) {
  const core = {
    name,
    port: 0,
    standing: "following" as Standing,
    /** What HAProxy said of who asks. */
    forwardedFor: "",
    /** Checks for a leader that failed. */
    failed: 0,
  };
  const server = createServer((request, response) => {
    const { url = "", headers } = request;
    if (url.startsWith("/readyz")) {
      const leads = core.standing === "sure";
      const ready = leads || (core.standing === "alone" && url.endsWith("?exclude=database"));
      if (url === "/readyz" && !ready) core.failed += 1;
      response.writeHead(ready ? 200 : 503).end();
      return;
    }
    core.forwardedFor = String(headers["x-forwarded-for"]);
    response.end(name);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  core.port = (server.address() as AddressInfo).port;
  return core;
}

function run(t: TestContext, program: string, args: readonly string[]): void {
  const child = spawn(program, args, { stdio: "ignore" });
  t.after(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGTERM");
    await once(child, "exit");
  });
}

function haproxyProgram(): string {
  const path = programAt({
    program: "haproxy",
    given: process.env.HAPROXY,
    path: process.env.PATH,
    folders: HAPROXY_FOLDERS,
  });
  if (path === undefined) {
    throw new Error("no HAProxy: install the package haproxy, or name its file by HAPROXY");
  }
  return path;
}

/** Certificates are a Secret's; which options a bind has besides is not in question. */
const cfg = readFileSync(join(BASE, "core/haproxy.cfg"), "utf8").replace(/ ssl crt .*/, "");

test("HAProxy takes the configuration that stands before the cores", () => {
  const path = join(dir, "as-it-is.cfg");
  writeFileSync(path, cfg);
  const env = { ...process.env, CORE_PODS: "core-pods.meridian-core.svc.cluster.local" };
  const checked = spawnSync(haproxyProgram(), ["-c", "-q", "-f", path], { env, encoding: "utf8" });
  assert.equal(checked.status, 0, checked.stderr);
  assert.doesNotMatch(checked.stderr, /WARNING/);
});

test("players get to the core that leads, to the next one when that changes, and no further", async (t) => {
  const cores = [await startCore(t, "a"), await startCore(t, "b")] as const;
  const [a, b] = cores;
  const ports = new Map([["8443", await freePort()]]);
  for (const bind of ["8404", "7301", "7302"]) ports.set(bind, await freePort());
  const servers = cores.map((core) => `server ${core.name} 127.0.0.1:${core.port}`).join("\n  ");
  // Without a cluster's name server, and on ports of this test.
  const here = cfg
    .replaceAll(/server-template core 4 "\$\{CORE_PODS\}:\d+"/g, servers)
    .replace("check port 7302", "check")
    .replace(" resolvers cluster resolve-prefer ipv4 init-addr none", "")
    .replaceAll(/bind :(\d+)/g, (_, bind: string) => `bind 127.0.0.1:${ports.get(bind)}`);
  const path = join(dir, "here.cfg");
  writeFileSync(path, here);
  run(t, haproxyProgram(), ["-db", "-f", path]);
  const ask = async () => {
    const headers = { "x-forwarded-for": "198.51.100.7", connection: "close" };
    const url = `http://127.0.0.1:${ports.get("8443")}/v1/regions`;
    const response = await fetch(url, { headers });
    return `${response.status} ${await response.text()}`;
  };
  const answers = (wanted: RegExp) =>
    until(`the answer ${wanted}`, async () => wanted.test(await ask().catch(() => "not yet")));
  a.standing = "sure";
  await answers(/^200 a$/);
  assert.equal(a.forwardedFor, "127.0.0.1");
  a.standing = "following";
  await answers(/^503 .*"retryable":true/);
  b.standing = "sure";
  await answers(/^200 b$/);
  b.standing = "alone";
  const before = b.failed;
  await until("HAProxy has found no leader", () => b.failed > before + FAILED_CHECKS);
  assert.equal(await ask(), "200 b");
});

for (const user of ["core", "region"] satisfies RedisUser[]) {
  test(`Redis takes the ${user}'s configuration, and lets in nobody without its password`, async (t) => {
    const folder = mkdtempSync(join(dir, user));
    const port = await freePort();
    writeFileSync(join(folder, "users.acl"), aclOf(user, PASSWORD));
    const config = readFileSync(join(BASE, user, "redis.conf"), "utf8")
      .replace("port 6379", `port ${port}\nbind 127.0.0.1`)
      .replace("/run/meridian/redis", folder)
      .replace("dir /data", `dir ${folder}`);
    writeFileSync(join(folder, "redis.conf"), config);
    run(t, findRedisServer(process.env), [join(folder, "redis.conf")]);
    const options = { port, host: "127.0.0.1", lazyConnect: true, enableReadyCheck: false };
    const retryStrategy = (times: number) => (times > RETRIES_MAX ? null : RETRY_MS);
    const known = new Redis({ ...options, username: user, password: PASSWORD, retryStrategy });
    const stranger = new Redis({ ...options, retryStrategy });
    for (const client of [known, stranger]) {
      client.on("error", () => undefined);
      t.after(() => client.disconnect());
    }
    assert.equal(await known.ping(), "PONG");
    await assert.rejects(stranger.ping(), /NOAUTH/);
  });
}
