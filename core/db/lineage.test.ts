/** The term follows the database's lineage. What a real promotion does is in `test/e2e/database-failover.test.ts`. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import pg from "pg";
import { systemClock } from "../../shared/clock.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { until } from "../../test/until.ts";
import { Database } from "./database.ts";
import { readMigrations } from "./migrate.ts";
import { followLineage, raiseTerm } from "./term.ts";
import { startTestDatabase } from "./test-database.ts";

let created: Awaited<ReturnType<typeof startTestDatabase>>;
let owner: pg.Client;
before(async () => {
  created = await startTestDatabase();
  owner = new pg.Client({ connectionString: created.url });
  await owner.connect();
});
after(async () => {
  await owner.end();
  await created.drop();
});

const termNow = async () =>
  Number((await owner.query("select term from meridian.core_term")).rows[0]?.term);
/** As if the database had been left on another timeline. */
const leaveElsewhere = (lineage: string) =>
  owner.query("update meridian.core_term set lineage = $1", [lineage]);

function newDatabase(): Database {
  return new Database({
    url: created.workingUrl,
    ownerUrl: created.url,
    connectionsMax: 2,
    startDeadlineMs: 0,
    migrations: readMigrations(),
    clock: systemClock,
    log: createLog("test", "silent"),
    metrics: createMetrics({}),
  });
}

test("a database that goes on where it was left keeps its term", async () => {
  const term = await termNow();
  assert.equal(await followLineage(owner), undefined);
  const database = newDatabase();
  await database.start();
  assert.equal(await termNow(), term);
  await database.stop();
});

test("one that goes on elsewhere has a higher term before the core's first statement, once", async () => {
  const term = await termNow();
  await leaveElsewhere("another/00000001");
  const both = [newDatabase(), newDatabase()];
  await Promise.all(both.map((database) => database.start()));
  const risen = await termNow();
  assert.ok(risen > term);
  assert.equal(await followLineage(owner), undefined, "nobody raises it again");
  await Promise.all(both.map((database) => database.stop()));
  assert.equal(await termNow(), risen);
});

test("the command's raise is the only one", async () => {
  await leaveElsewhere("another/00000002");
  const raised = await raiseTerm(owner);
  assert.ok(raised && raised.term > raised.before);
  assert.equal(await followLineage(owner), undefined);
  assert.equal(await termNow(), raised.term);
});

/** As a promotion does: ends the database's connections, and goes on under that lineage. */
async function goOnElsewhere(database: Database, lineage: string): Promise<void> {
  const [{ pid } = { pid: 0 }] = await database.rows<{ pid: number }>(
    "select pg_backend_pid() as pid",
  );
  await owner.query(
    `create or replace function meridian.lineage() returns text language sql as
     $$ select '${lineage}'::text $$`,
  );
  await owner.query("select pg_terminate_backend($1, 5000)", [pid]);
}

test("a core that follows goes on where its database does", async () => {
  const database = newDatabase();
  await database.start();
  await goOnElsewhere(database, "elsewhere/00000008");
  await until("it has a connection again", () =>
    database.rows("select 1").then(
      () => true,
      () => false,
    ),
  );
  const before = await termNow();
  assert.deepEqual(await database.rows("select term from core_term"), [{ term: before }]);
  await database.stop();
});

test("one that leads gets no more connections, and says that it must end", async () => {
  const database = newDatabase();
  await database.start();
  database.guardCommits({ text: "select 1", values: [], onRefused() {} });
  await goOnElsewhere(database, "elsewhere/00000009");
  await assert.rejects(async () => {
    for (;;) await database.rows("select 1");
  }, /unavailable|another than it was|can't be reached/);
  assert.match(await database.moved, /goes on elsewhere, as elsewhere\/00000009/);
  await assert.rejects(database.rows("select term from core_term"), { kind: "unavailable" });
  await database.stop();
});
