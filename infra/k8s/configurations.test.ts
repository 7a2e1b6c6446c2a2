/** What the manifests give to programs that are not ours, taken by those programs of this machine. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Redis } from "ioredis";
import { programAt } from "../process/find-program.ts";
import { freePort } from "../process/port.ts";
import { aclOf, type RedisUser } from "../redis/access.ts";
import { findRedisServer } from "../redis/local.ts";

const BASE = join(import.meta.dirname, "base");
const HAPROXY_FOLDERS = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"];
const PASSWORD = "of an example";
const RETRIES_MAX = 100;
const RETRY_MS = 50;

const dir = mkdtempSync(join(tmpdir(), "meridian-k8s-"));
after(() => rmSync(dir, { recursive: true }));

const haproxy = programAt({
  program: "haproxy",
  given: process.env.HAPROXY,
  path: process.env.PATH,
  folders: HAPROXY_FOLDERS,
});

test("HAProxy takes the configuration that stands before the cores", () => {
  assert.ok(haproxy, "no HAProxy: install the package haproxy, or name its file by HAPROXY");
  const config = readFileSync(join(BASE, "core/haproxy.cfg"), "utf8");
  const path = join(dir, "haproxy.cfg");
  // Certificates are a Secret's; which options a bind has besides is not in question.
  writeFileSync(path, config.replace(/ ssl crt \S+/, ""));
  const env = { ...process.env, CORE_PODS: "core-pods.meridian-core.svc.cluster.local" };
  const checked = spawnSync(haproxy, ["-c", "-q", "-f", path], { env, encoding: "utf8" });
  assert.equal(checked.status, 0, checked.stderr);
  assert.doesNotMatch(checked.stderr, /WARNING/);
});

for (const user of ["core", "region"] satisfies RedisUser[]) {
  test(`Redis takes the configuration of the ${user}'s, and lets in nobody without its password`, async (t) => {
    const folder = mkdtempSync(join(dir, user));
    const port = await freePort();
    writeFileSync(join(folder, "users.acl"), aclOf(user, PASSWORD));
    const config = readFileSync(join(BASE, user, "redis.conf"), "utf8")
      .replace("port 6379", `port ${port}\nbind 127.0.0.1`)
      .replace("/run/meridian/redis", folder)
      .replace("dir /data", `dir ${folder}`);
    writeFileSync(join(folder, "redis.conf"), config);
    const server = spawn(findRedisServer(process.env), [join(folder, "redis.conf")], {
      stdio: "ignore",
    });
    t.after(async () => {
      server.kill("SIGTERM");
      if (server.exitCode === null) await once(server, "exit");
    });
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
