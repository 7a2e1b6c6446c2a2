import assert from "node:assert/strict";
import { after, mock, test } from "node:test";
import pg from "pg";
import { systemClock } from "../../shared/clock.ts";
import { isFailure, MeridianError } from "../../shared/errors.ts";
import { FakeClock } from "../../shared/fake-clock.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { until } from "../../test/until.ts";
import { Database, type Tx } from "./database.ts";
import { readMigrations } from "./migrate.ts";
import { createTestDatabase } from "./test-database.ts";
import { startTestProxy } from "./test-proxy.ts";

const created = await createTestDatabase();
const proxy = await startTestProxy(created.url);
const metrics = createMetrics({});
const options = {
  url: proxy.url,
  ownerUrl: proxy.url,
  connectionsMax: 2,
  startDeadlineMs: 0,
  migrations: readMigrations(),
  clock: systemClock,
  log: createLog("test", "silent"),
  metrics: createMetrics({}),
};
const database = new Database({ ...options, metrics });
await database.start();
after(async () => {
  await database.stop();
  await proxy.stop();
  await created.drop();
});

async function backend(): Promise<number | undefined> {
  const rows = await database.rows<{ pid: number }>("select pg_backend_pid() as pid");
  return rows[0]?.pid;
}

test("a login that could become the owner is told of at the start; one that can't is not", async () => {
  for (const [url, warnings] of [
    [created.url, 1],
    [created.workingUrl, 0],
  ] as const) {
    const log = createLog("test", "silent");
    const warned = mock.method(log, "warn");
    const other = new Database({
      ...options,
      url,
      ownerUrl: created.url,
      log,
      metrics: createMetrics({}),
    });
    await other.start();
    await other.stop();
    assert.equal(warned.mock.callCount(), warnings);
  }
});

test("a database that is warmed up has its connections before anybody asks", async () => {
  const warm = createMetrics({});
  const other = new Database({ ...options, metrics: warm });
  await other.start();
  await other.warmUp();
  const text = await warm.metrics();
  assert.match(text, /meridian_db_connections\{state="idle"\} 2/);
  await other.stop();
});

test("of statements that are sent together the first failure is told, whichever is heard first", async () => {
  const later = async <T>(work: Promise<T>): Promise<T> => await (await Promise.all([work]))[0];
  await assert.rejects(
    database.transaction((tx) =>
      Promise.all([later(later(tx.rows("select 1 / $1::int", [0]))), tx.rows("select $1", ["1"])]),
    ),
    { code: "22012" },
  );
  await database.transaction((tx) => tx.rows("select $1", ["the connection is good"]));
});

test("a transaction commits as a whole, or not at all", async () => {
  const insert = "insert into regions (region_id, epoch_term, epoch_n) values ($1, 1, 1)";
  await database.transaction((tx) => tx.run(insert, ["kept"]));
  await assert.rejects(
    database.transaction(async (tx) => {
      await tx.run(insert, ["undone"]);
      throw new MeridianError("conflict");
    }),
    (error) => isFailure(error, "conflict"),
  );
  const rows = await database.rows("select region_id from regions");
  assert.deepEqual(rows, [{ region_id: "kept" }]);
});

test("a mistake of ours keeps its own error, and the connection stays", async () => {
  const pid = await backend();
  const wrong = database.rows("select * from no_such_table");
  await assert.rejects(wrong, (error) => !isFailure(error) && /no_such_table/.test(String(error)));
  assert.equal(await backend(), pid);
});

test("a statement that takes too long is a timeout, and its connection is not used again", async () => {
  const pid = await backend();
  await assert.rejects(
    database.transaction(async (tx) => {
      await tx.run("set local statement_timeout = 20");
      await tx.run("select pg_sleep(5)");
    }),
    (error) => isFailure(error, "timeout"),
  );
  assert.notEqual(await backend(), pid);
});

/** Ends the server's side of the transaction's connection, and waits until the pool has noticed. */
async function loseConnection(tx: Tx): Promise<void> {
  const lost = () => countOf("connection_lost");
  const before = await lost();
  const [row] = await tx.rows<{ pid: number }>("select pg_backend_pid() as pid");
  const owner = new pg.Client({ connectionString: created.url });
  await owner.connect();
  await owner.query("select pg_terminate_backend($1)", [row?.pid]);
  await owner.end();
  await until("the pool notices", async () => (await lost()) > before);
}

async function countOf(kind: string): Promise<number> {
  const { values } = (await metrics.getSingleMetric("meridian_db_failures_total")?.get()) ?? {};
  return values?.find(({ labels }) => labels.kind === kind)?.value ?? 0;
}

test("a statement on a connection that was lost before it is `unavailable`", async () => {
  const work = database.transaction(async (tx) => {
    await loseConnection(tx);
    await tx.run("select 1");
  });
  await assert.rejects(work, (error) => isFailure(error, "unavailable"));
});

test("a transaction that can't be undone any more still tells why it failed", async () => {
  const before = await countOf("rollback_failed");
  const work = database.transaction(async (tx) => {
    await loseConnection(tx);
    throw new MeridianError("conflict");
  });
  await assert.rejects(work, (error) => isFailure(error, "conflict"));
  assert.equal(await countOf("rollback_failed"), before + 1);
  assert.equal(await database.ping(), true, "and its connection is not used again");
});

test("callers wait for a connection up to a bound, and are refused past it", async () => {
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const holders: Promise<void>[] = [];
  for (let n = 0; n < 2; n += 1) {
    await new Promise<void>((started) => {
      holders.push(
        database.transaction(() => {
          started();
          return released;
        }),
      );
    });
  }
  const waiting = Array.from({ length: 2_048 }, () => database.rows("select 1"));
  await assert.rejects(database.rows("select 1"), (error) => isFailure(error, "unavailable"));
  release();
  await Promise.all(holders);
  // On a machine that is too busy the last of them may run out of time, and are told so.
  for (const outcome of await Promise.allSettled(waiting)) {
    assert.ok(outcome.status === "fulfilled" || isFailure(outcome.reason, "unavailable"));
  }
});

test("while the database is away callers get `unavailable`, and it recovers by itself", async () => {
  const sleeping = database.rows("select pg_sleep(30)");
  const cutUnderWay = assert.rejects(sleeping, (error) => isFailure(error, "unavailable"));
  // The core's own role may not see what other sessions run.
  const owner = new pg.Client({ connectionString: created.url });
  await owner.connect();
  await until("the statement runs", async () => {
    const text = "select from pg_stat_activity where query = 'select pg_sleep(30)'";
    return (await owner.query(text)).rowCount === 1;
  });
  await owner.end();
  proxy.cut();
  await cutUnderWay;
  await assert.rejects(database.rows("select 1"), (error) => isFailure(error, "unavailable"));
  await assert.rejects(
    database.transaction((tx) => tx.run("select 1")),
    (error) => isFailure(error, "unavailable"),
  );
  assert.equal(await database.ping(), false);
  proxy.mend();
  assert.equal(await database.ping(), true);
});

test("after several calls in a row that found nobody the next are not made, until one is answered", async () => {
  const clock = new FakeClock();
  const log = createLog("test", "silent");
  const warned = mock.method(log, "warn");
  const measured = createMetrics({});
  const other = new Database({ ...options, clock, log, metrics: measured });
  const givenUp = async () => /^meridian_db_given_up 1$/m.test(await measured.metrics());
  const call = () => assert.rejects(other.rows("select 1"), (e) => isFailure(e, "unavailable"));
  // A statement that fails is an answer.
  for (let n = 0; n < 6; n += 1) await assert.rejects(other.rows("select 1 / 0"));
  assert.equal(await givenUp(), false);
  proxy.cut();
  for (let n = 0; n < 5; n += 1) await call();
  assert.equal(await givenUp(), true);
  const told = warned.mock.calls.filter(({ arguments: [, words] }) =>
    String(words).startsWith("the database does not answer"),
  );
  assert.equal(told.length, 1);
  proxy.mend();
  await call();
  assert.match(await measured.metrics(), /^meridian_db_failures_total\{kind="given_up"\} 1$/m);
  clock.advance(500);
  assert.deepEqual(await other.rows("select 1 as n"), [{ n: 1 }]);
  assert.equal(await givenUp(), false);

  proxy.cut();
  for (let n = 0; n < 5; n += 1) await call();
  proxy.mend();
  assert.equal(await other.ping(), true, "whoever asks how it is gets the truth");
  assert.equal(await givenUp(), false);
  await other.stop();
});
