import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import pg from "pg";
import { pino } from "pino";
import { createLog } from "../../shared/log.ts";
import { type Migration, migrate, planMigrations, readMigrations } from "./migrate.ts";
import { createTestDatabase } from "./test-database.ts";

const log = createLog("test", "silent");
const created = await createTestDatabase();
after(() => created.drop());

function migration(version: number, sql: string, compatibleFrom = 1): Migration {
  return { version, name: `${version}`, sql, compatibleFrom };
}

async function query(sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: created.url });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

const one = migration(1, "create table things (n integer); insert into things values (1)");
const two = migration(2, "update things set n = n + 1; select pg_sleep(0.05)");
const three = migration(3, "alter table things add column note text", 2);
const four = migration(4, "alter table things add column tag text");

test("eight processes that start together migrate once", async () => {
  const starts = Array.from({ length: 8 }, () =>
    migrate({ url: created.url, migrations: [one, two], log }),
  );
  await Promise.all(starts);
  assert.deepEqual(await query("select n from meridian.things"), [{ n: 2 }]);
  assert.deepEqual(await query("select version from meridian.schema_migrations order by 1"), [
    { version: 1 },
    { version: 2 },
  ]);
});

test("a migration that fails leaves nothing behind and names itself", async () => {
  const bad = migration(3, "insert into things values (7); select 1 / 0");
  await assert.rejects(
    migrate({ url: created.url, migrations: [one, two, bad], log }),
    /migration 3 failed: division by zero/,
  );
  assert.deepEqual(await query("select n from meridian.things"), [{ n: 2 }]);
});

test("an older binary runs on a newer schema that it reaches, and refuses one above it", async () => {
  await migrate({ url: created.url, migrations: [one, two, three], log });
  await migrate({ url: created.url, migrations: [one, two], log });
  await assert.rejects(
    migrate({ url: created.url, migrations: [one], log }),
    /the schema needs a core that knows migration 2; this one knows 1: update it/,
  );
});

test("a migration that was changed after it was applied is refused", async () => {
  const changed = migration(1, "create table others (n integer)");
  await assert.rejects(
    migrate({ url: created.url, migrations: [changed, two], log }),
    /migration 1 was changed/,
  );
});

test("the plan applies what is missing, in order", () => {
  assert.deepEqual(planMigrations([one, two], []), [one, two]);
  assert.deepEqual(planMigrations([], []), []);
});

test("the real migrations are numbered without gaps and state their floor", () => {
  const migrations = readMigrations();
  assert.ok(migrations.length > 0);
  for (const [index, known] of migrations.entries()) assert.equal(known.version, index + 1);
});

test("a migration file without a floor is refused", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "meridian-migrations-"));
  t.after(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, "0001_first.sql"), "select 1");
  assert.throws(() => readMigrations(dir), /0001_first\.sql has a wrong number or no compatible/);
});

test("a migration that waits for a table in use lets others through, and is made once the table is free", async () => {
  const holder = new pg.Client({ connectionString: created.url });
  await holder.connect();
  const waits = new EventEmitter();
  const warned = once(waits, "line");
  const told = pino({ level: "warn" }, { write: (line: string) => waits.emit("line", line) });
  try {
    await holder.query("begin; select n from meridian.things");
    const migrating = migrate({ url: created.url, migrations: [one, two, three, four], log: told });
    const [line] = (await Promise.race([warned, migrating])) as string[];
    assert.match(line ?? "", /waits for a table that is in use/);
    assert.deepEqual(await query("select n from meridian.things"), [{ n: 2 }]);
    await holder.query("commit");
    await migrating;
  } finally {
    await holder.end();
  }
  assert.deepEqual(await query("select tag from meridian.things"), [{ tag: null }]);
});

test("an index is built outside of a transaction, by one of those who start together, and again after a failure", async () => {
  // As a process leaves it that dies while it builds one.
  await query(`create index things_n on meridian.things (n);
    update pg_index set indisvalid = false where indexrelid = 'meridian.things_n'::regclass`);
  const five = {
    ...migration(5, "create index concurrently if not exists things_n on things (n)"),
    alone: true,
  };
  const migrations = [one, two, three, four, five];
  await Promise.all([1, 2, 3].map(() => migrate({ url: created.url, migrations, log })));
  const valid = "select indisvalid from pg_index where indexrelid = 'meridian.things_n'::regclass";
  assert.deepEqual(await query(valid), [{ indisvalid: true }]);
});
