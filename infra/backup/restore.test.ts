/**
 * Backups and restores of a real server. Its data and the backups lie in a folder that only this user can enter, which
 * as root the server's user is not.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import pg from "pg";
import { systemClock } from "../../shared/clock.ts";
import { type RunningPostgres, startPostgres } from "../postgres/embedded.ts";
import { archivingServer } from "./archive.ts";
import { takeBackup } from "./base-backup.ts";
import { type RestoreOptions, restore } from "./restore.ts";

const top = mkdtempSync(join(tmpdir(), "meridian-backups-"));
const dir = join(top, "backups");
const dataDir = join(top, "postgres");
const cluster = process.env.TEST_CLUSTER;
if (cluster) execFileSync("cp", ["-a", cluster, dataDir]);
const server = await startArchiving(dataDir);
after(async () => {
  await server.stop();
  rmSync(top, { recursive: true, force: true });
});
const said: string[] = [];
const common = { clock: systemClock, say: (line: string) => said.push(line) };

async function startArchiving(folder: string): Promise<RunningPostgres> {
  return await startPostgres({ dataDir: folder, ...archivingServer(dir, folder) });
}

async function query<T = unknown>({ url }: RunningPostgres, text: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query({ text, rowMode: "array" })).rows.flat();
  } finally {
    await client.end();
  }
}

/** Everything that was committed by now is in the archive. */
async function archived(of: RunningPostgres = server): Promise<void> {
  const [segment] = await query<string>(of, "select pg_walfile_name(pg_switch_wal())");
  assert.ok(segment);
  while (!existsSync(join(dir, "wal", `${segment}.gz`)))
    await new Promise((done) => setTimeout(done, 10));
}

let restores = 0;
async function restored(options: Partial<RestoreOptions>) {
  restores += 1;
  const folder = join(top, `restored-${restores}`);
  execFileSync("mkdir", [folder]);
  execFileSync("cp", ["-a", join(dataDir, "password"), folder]);
  const found = await restore({
    ...common,
    from: dir,
    target: { kind: "latest" },
    data: join(folder, "data"),
    ...options,
  });
  return { folder, found };
}

test("what was committed after a backup is there again, and the term has risen", async () => {
  await query(server, "create schema meridian");
  await query(server, "create table meridian.core_term (term bigint)");
  await query(server, "create table meridian.schema_migrations (version int)");
  await query(server, "insert into meridian.core_term values (1)");
  await query(server, "create table kept as select 1 as n");
  const backup = await takeBackup({ ...common, url: server.url, dir });
  await query(server, "insert into kept values (2)");
  await archived();
  const { folder, found } = await restored({});
  console.log(said, { ...found, backup: backup.name, files: backup.files.length });
  assert.equal(found.term?.before, 1);
  const again = await startPostgres({ dataDir: folder });
  try {
    assert.deepEqual(await query(again, "select n from kept order by n"), [1, 2]);
  } finally {
    await again.stop();
  }
});
