/**
 * Backups and restores of a real server. Its data and the backups lie in a folder that only this user can enter, which
 * as root the server's user is not.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import pg from "pg";
import { ArchiveWatch } from "../../core/db/archive-watch.ts";
import { Database } from "../../core/db/database.ts";
import { systemClock } from "../../shared/clock.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { until } from "../../test/until.ts";
import { type RunningPostgres, startPostgres } from "../postgres/embedded.ts";
import { archivingServer } from "./archive.ts";
import { takeBackup } from "./base-backup.ts";
import { runBackup } from "./command.ts";
import { lockFolder } from "./folder-lock.ts";
import { restoreCluster } from "./in-place.ts";
import { backupFiles, backupFolder } from "./layout.ts";
import { type Manifest, readBackups } from "./manifest.ts";
import { type RestoreOptions, restore } from "./restore.ts";

const top = mkdtempSync(join(tmpdir(), "meridian-backups-"));
const dir = join(top, "backups");
const dataDir = join(top, "postgres");
const cluster = process.env.TEST_CLUSTER;
if (cluster) execFileSync("cp", ["-a", cluster, dataDir]);
const archive = archivingServer(dir, dataDir);
const settings = { ...archive.settings, fsync: "off" };
const server = await startPostgres({ dataDir, ...archive, settings });
after(async () => {
  await server.stop();
  rmSync(top, { recursive: true, force: true });
});
// Two thirds of an empty cluster's files, which each backup and restore here would copy.
for (const template of ["template0", "template1"]) {
  await query(server, `alter database ${template} is_template false`);
  await query(server, `drop database ${template}`);
}
const common = { clock: systemClock, say: () => {} };
const folders = backupFolder(dir);

async function query<T = unknown>({ url }: RunningPostgres, text: string): Promise<T[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query({ text, rowMode: "array" })).rows.flat();
  } finally {
    await client.end();
  }
}

/** The segment that is written now, ended. */
async function switched(): Promise<string> {
  const [name] = await query<string>(server, "select pg_walfile_name(pg_switch_wal())");
  assert.ok(name);
  return name;
}

async function archived(): Promise<string> {
  const name = await switched();
  await until(`${name} is archived`, () => existsSync(join(folders.wal, `${name}.gz`)));
  return name;
}

async function add(n: number): Promise<void> {
  await query(server, `insert into kept values (${n})`);
}

let restores = 0;
function restored(options: Partial<RestoreOptions>) {
  restores += 1;
  const data = join(top, `restored-${restores}`);
  return restore({ ...common, from: dir, target: { kind: "latest" }, data, ...options });
}

/** Nothing is left of a backup or restore that did not succeed. */
function assertNothingHalf(backups: number): void {
  assert.equal(readdirSync(folders.base).length, backups);
  assert.equal(existsSync(folders.lock), false);
  assert.deepEqual(
    readdirSync(top).filter((name) => name.startsWith("restored")),
    [],
  );
}

let backup: Manifest;
/** Between the second and the third row. */
let between: Date;

test("what was committed after a backup is there again, in place of the former data", async () => {
  await query(server, "create schema meridian");
  await query(server, "create table meridian.core_term as select 7::bigint as term");
  await query(server, "create table meridian.schema_migrations as select 16 as version");
  await query(server, "create table kept as select 1 as n");
  backup = await takeBackup({ ...common, url: server.url, dir, label: "first" });
  const { label, coreTerm, schemaVersion, timeline } = backup;
  assert.deepEqual(
    { label, coreTerm, schemaVersion, timeline },
    {
      label: "first",
      coreTerm: 7,
      schemaVersion: 16,
      timeline: 1,
    },
  );
  await add(2);
  const [now] = await query<Date>(server, "select clock_timestamp()");
  assert.ok(now);
  // To the next millisecond: a target is no finer.
  between = new Date(now.getTime() + 1);
  await until("the next millisecond", () => Date.now() > between.getTime());
  await add(3);
  await archived();
  await add(4);

  const other = join(top, "other");
  mkdirSync(join(other, "data"), { recursive: true });
  writeFileSync(join(other, "data", "former"), "");
  const target = { kind: "latest" } as const;
  const wal = join(dataDir, "data/pg_wal");
  const found = await restoreCluster(other, { ...common, from: dir, target, wal });
  assert.ok(found.term && found.term.before === 7 && found.term.term > 1_700_000_000);
  assert.equal(found.timeline, 2);
  assert.ok(found.lastTransactionAt && found.lastTransactionAt > between);
  assert.ok(found.aside && existsSync(join(found.aside, "former")), "nothing is thrown away");
  const again = await startPostgres({ dataDir: other });
  try {
    // With the password of the new folder; the fourth comes from the lost server's own log.
    assert.deepEqual(await query(again, "select n from kept order by n"), [1, 2, 3, 4]);
    assert.deepEqual(await query(again, "select term::float8 from meridian.core_term"), [
      found.term.term,
    ]);
  } finally {
    await again.stop();
  }
  assertNothingHalf(1);
});

test("to a time between two transactions: the first is there and the second is not", async () => {
  const { lastTransactionAt } = await restored({ target: { kind: "time", at: between } });
  assert.ok(lastTransactionAt && lastTransactionAt <= between);
  const dataOf = `restored-${restores}`;
  const folder = join(top, "at-a-time");
  mkdirSync(folder);
  execFileSync("cp", ["-a", join(dataDir, "password"), folder]);
  renameSync(join(top, dataOf), join(folder, "data"));
  const again = await startPostgres({ dataDir: folder });
  try {
    assert.deepEqual(await query(again, "select n from kept order by n"), [1, 2]);
  } finally {
    await again.stop();
  }
});

test("targets before the backup and after the archive's end, and a folder that is not empty", async () => {
  const before = { kind: "time", at: new Date(Date.parse(backup.endedAt) - 1) } as const;
  await assert.rejects(restored({ target: before }), /no backup leads to/);
  const after = { kind: "time", at: new Date(Date.now() + 3_600_000) } as const;
  await assert.rejects(
    restored({ target: after }),
    /the archive ends before .*last transaction at/,
  );
  await assert.rejects(restored({ data: dataDir }), /is not empty/);
  assertNothingHalf(1);
});

test("a segment that is missing or damaged is no end of the log", async () => {
  const first = await archived();
  await add(5);
  const second = await archived();
  const path = join(folders.wal, `${first}.gz`);
  renameSync(path, `${path}.away`);
  await assert.rejects(restored({}), new RegExp(`the archive lacks ${first}`));
  const whole = readFileSync(join(folders.wal, `${second}.gz`));
  writeFileSync(path, whole.subarray(0, whole.length / 2));
  chmodSync(path, 0o644);
  await assert.rejects(restored({}), new RegExp(`${first}.gz is damaged`));
  // Another segment's log under its name: PostgreSQL takes that for the end.
  writeFileSync(path, whole);
  await assert.rejects(restored({}), /could be read up to .* only, though the archive has later/);
  renameSync(`${path}.away`, path);
  assertNothingHalf(1);
});

test("a damaged backup is found by verify, and no restore begins with it", async () => {
  const said: string[] = [];
  const verify = () =>
    runBackup(["verify", "--to", dir], {
      env: {},
      clock: systemClock,
      say: (line) => said.push(line),
      signal: new AbortController().signal,
    });
  assert.equal(await verify(), 0);
  const path = join(backupFiles(folders.backup(backup.name)).data, "global/pg_control");
  const before = readFileSync(path);
  writeFileSync(path, Buffer.concat([before.subarray(1), Buffer.of(0)]));
  assert.equal(await verify(), 1);
  assert.match(said.at(-1) ?? "", /global\/pg_control has another content\n.* is damaged/);
  await assert.rejects(restored({}), /is damaged: global\/pg_control is not what was backed up/);
  rmSync(path);
  assert.equal(await verify(), 1);
  writeFileSync(path, before);
  assert.equal(await verify(), 0);
  assertNothingHalf(1);
});

test("a backup that is called off leaves nothing, whenever it is, and two at once are refused", async () => {
  for (const when of [/checkpoint/, /archive/, /writing/]) {
    const stop = new AbortController();
    const say = (line: string) => when.test(line) && stop.abort();
    const called = takeBackup({ ...common, say, signal: stop.signal, url: server.url, dir });
    await assert.rejects(called, { name: "AbortError" });
    assertNothingHalf(1);
  }
  const release = lockFolder(folders.lock);
  await assert.rejects(takeBackup({ ...common, url: server.url, dir }), /works on these backups/);
  release();
});

test("what can't be archived is kept, and said; once it can be, nothing is missing", async () => {
  await query(server, "create role meridian_core");
  const metrics = createMetrics({});
  const lines: string[] = [];
  const log = createLog("test", "silent");
  log.error = (_fields: unknown, line?: string) => void lines.push(String(line));
  const database = new Database({
    url: server.url,
    ownerUrl: server.url,
    connectionsMax: 1,
    startDeadlineMs: 0,
    migrations: [],
    ...{ clock: systemClock, log, metrics },
  });
  const watch = new ArchiveWatch({ database, clock: systemClock, log, metrics });
  const failing = async () => {
    await watch.look();
    return /^meridian_database_archive_failed 1$/m.test(await metrics.metrics());
  };
  try {
    assert.equal(await failing(), false);
    // As on a disk that is full: the server's user can't write there.
    chmodSync(folders.wal, 0o500);
    await add(6);
    const kept = await switched();
    await until("it is noticed", failing);
    await failing();
    assert.deepEqual(lines, ["the database's log is not archived"]);
    assert.ok(existsSync(join(dataDir, "data/pg_wal", kept)), "the server keeps it");
    chmodSync(folders.wal, 0o700);
    await query(server, "select pg_reload_conf()");
    await until("it is archived", () => existsSync(join(folders.wal, `${kept}.gz`)), 90_000);
    await until("it is well again", async () => !(await failing()));
  } finally {
    await database.stop();
  }
});

test("prune keeps the newest backups and the log since the oldest of them", async () => {
  const second = await takeBackup({ ...common, url: server.url, dir });
  const prune = (keep: string) =>
    runBackup(["prune", "--to", dir, "--keep", keep], {
      ...{ env: {}, clock: systemClock, say: () => {}, signal: new AbortController().signal },
    });
  await prune("2");
  assert.equal(readBackups(dir).length, 2);
  await prune("1");
  assert.deepEqual(
    readBackups(dir).map(({ name }) => name),
    [second.name],
  );
  const names = readdirSync(folders.wal).filter((name) => /^[0-9A-F]{24}/.test(name));
  assert.ok(names.includes(`${second.startSegment}.gz`));
  assert.deepEqual(
    names.filter((name) => name < second.startSegment),
    [],
  );
  await assert.rejects(prune("0"), /1 at least/);
});
