import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { freePort } from "../process/port.ts";
import { pdnsConfig } from "./config.ts";
import { findPdnsServer, startPdns } from "./server.ts";

const top = mkdtempSync(join(tmpdir(), "meridian-pdns-"));
const fake = join(top, "pdns_server");
after(() => rmSync(top, { recursive: true, force: true }));

function pretend(script: string): void {
  writeFileSync(fake, `#!/bin/sh\n${script}\n`);
  chmodSync(fake, 0o755);
}

test("an old and a broken pdns_server each get one clear line", () => {
  pretend("echo 'PowerDNS Authoritative Server 4.1.6 (C)' >&2");
  assert.throws(() => findPdnsServer({ PATH: top }), /4\.1\.6, Meridian needs PowerDNS 4\.5/);
  pretend("exit 1");
  assert.throws(() => findPdnsServer({ PDNS_SERVER: fake }), /does not run as PowerDNS/);
  pretend("echo 'PowerDNS Authoritative Server 4.7.3 (C)' >&2");
  assert.equal(findPdnsServer({ PDNS_SERVER: fake, PATH: "" }), fake);
});

async function start(port?: number): Promise<unknown> {
  return await startPdns({
    dir: join(top, "dir"),
    serverPath: fake,
    address: "127.0.0.1",
    port: port ?? (await freePort()),
    responderSocket: join(top, "none.sock"),
    zone: "meridian.test",
  });
}

test("a start that fails says why: the missing module by its package, else the server's own words", async () => {
  pretend("echo 'DNSBackend unable to load module in remote'; exit 1");
  await assert.rejects(start(), /did not start: .*"apt-get install pdns-backend-remote"/);
  pretend("echo 'Fatal error: the disk is upside down'; exit 1");
  await assert.rejects(start(), /PowerDNS did not start: Fatal error: the disk is upside down/);
  const port = await freePort();
  const squatter = createServer().listen(port, "127.0.0.1");
  await new Promise((resolve) => squatter.once("listening", resolve));
  try {
    await assert.rejects(start(port), new RegExp(`port ${port} for PowerDNS is in use`));
  } finally {
    squatter.close();
  }
});

test("the configuration caches nothing, gives nothing away, and changes user where asked", () => {
  const options = { responderSocket: "/run/r.sock", addresses: ["192.0.2.53"], port: 53 };
  const text = pdnsConfig({ ...options, socketDir: "/run/pdns", user: "pdns" });
  for (const line of [
    "launch=remote",
    "remote-connection-string=unix:path=/run/r.sock,timeout=1000",
    "cache-ttl=0",
    "query-cache-ttl=0",
    "edns-subnet-processing=yes",
    "no-shuffle=yes",
    "disable-axfr=yes",
    "version-string=anonymous",
    "setuid=pdns",
  ]) {
    assert.ok(text.split("\n").includes(line), line);
  }
  assert.doesNotMatch(pdnsConfig({ ...options, socketDir: "." }), /setuid/);
});
