/** The process itself: what it says when it can't start, and that it stops when told to. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createAuthority } from "../infra/private-link/authority.ts";
import { createTestDatabase } from "./db/test-database.ts";

const created = await createTestDatabase();
const dir = mkdtempSync(join(tmpdir(), "meridian-core-main-"));
after(async () => {
  rmSync(dir, { recursive: true });
  await created.drop();
});

const authority = await createAuthority();
const issued = await authority.issue({ role: "core" });
const files = { "ca.pem": authority.caPem, "core.pem": issued.cert, "core.key": issued.key };
for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
writeFileSync(join(dir, "master-key"), Buffer.alloc(32, 7).toString("base64"));

/** What makes Node start sooner in a run of the tests; nothing else of theirs reaches the process. */
const NODE_STARTS = ["NODE_COMPILE_CACHE", "NODE_OPTIONS", "MERIDIAN_TEST_STRIPPED"];

const good = {
  PATH: process.env.PATH ?? "",
  ...Object.fromEntries(NODE_STARTS.map((name) => [name, process.env[name]])),
  DATABASE_URL: created.url,
  CORE_PORT: "0",
  CORE_LINK_PORT: "0",
  CORE_PRIVATE_PORT: "0",
  LINK_CA_FILE: join(dir, "ca.pem"),
  LINK_CERT_FILE: join(dir, "core.pem"),
  LINK_KEY_FILE: join(dir, "core.key"),
  TOPOLOGY_FILE: join(import.meta.dirname, "../infra/topology/china.json"),
  MASTER_KEY_FILE: join(dir, "master-key"),
};

interface Run {
  readonly child: ChildProcess;
  readonly out: () => string;
  readonly ended: Promise<{ code: number | null; out: string; err: string }>;
}

function run(change: Record<string, string>): Run {
  const child = spawn(process.execPath, [join(import.meta.dirname, "main.ts")], {
    env: { ...good, ...change },
  });
  let out = "";
  let err = "";
  child.stdout.on("data", (bytes) => {
    out += String(bytes);
  });
  child.stderr.on("data", (bytes) => {
    err += String(bytes);
  });
  const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) => {
    // What Node and libraries warn of comes before; ours starts with the process's name.
    child.on("close", (code) =>
      resolve({ code, out, err: /^core: [\s\S]*/m.exec(err)?.[0] ?? "" }),
    );
  });
  return { child, out: () => out, ended };
}

test("it becomes ready, goes on after SIGHUP, and stops within its deadline when told to", {
  timeout: 20_000,
}, async () => {
  const { child, out, ended } = run({});
  while (!out().includes('"msg":"ready"')) {
    assert.equal(child.exitCode, null, out());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  // Asks for a look at the topology file, and nothing else.
  child.kill("SIGHUP");
  child.kill("SIGTERM");
  const { code, err } = await ended;
  assert.deepEqual([code, err], [0, ""]);
});

test("a wrong configuration is told at once, every problem of it", async () => {
  const { code, err } = await run({ CORE_PORT: "x", DATABASE_URL: "" }).ended;
  assert.equal(code, 2);
  assert.match(
    err,
    /^core: wrong configuration:\n {2}DATABASE_URL is not set: .*\n {2}CORE_PORT: /,
  );
});

test("a missing certificate or topology is one line", async () => {
  const certificate = await run({ LINK_CERT_FILE: join(dir, "none.pem") }).ended;
  assert.equal(certificate.code, 1);
  assert.match(certificate.err, /^core: ENOENT: .*none\.pem'\n$/);
  const topology = await run({ TOPOLOGY_FILE: join(dir, "none.json") }).ended;
  assert.match(topology.err, /^core: can't read the topology file .*none\.json: .*\n$/);
});

test("a port in use is one line that names the setting", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  assert.ok(typeof address === "object" && address);
  const { code, err } = await run({ CORE_PORT: String(address.port) }).ended;
  server.close();
  assert.equal(code, 1);
  assert.equal(err, `core: port ${address.port} on 127.0.0.1 is in use: set CORE_PORT\n`);
});

test("a database that can't be reached is waited for, and then one line", async () => {
  const DATABASE_URL = "postgresql://nobody@127.0.0.1:9/none";
  const { code, out, err } = await run({ DATABASE_URL, DATABASE_WAIT_MS: "1500" }).ended;
  assert.equal(code, 1);
  assert.match(out, /waiting for the database/);
  assert.match(err, /^core: no database within 1500 ms \(DATABASE_URL\): .*ECONNREFUSED.*\n$/);
});

test("another master key than the database was set up with is one line", async () => {
  const { code, err } = await run({
    MASTER_KEY_FILE: "",
    MASTER_KEY: Buffer.alloc(32, 8).toString("hex"),
  }).ended;
  assert.equal(code, 1);
  assert.match(err, /^core: MASTER_KEY does not open the stored signing keys: .*\n$/);
});
