/** The record of regions with players who wait, in a real database. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { FakeClock } from "../../shared/fake-clock.ts";
import { RegionId } from "../../shared/ids.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import type { Sql } from "../db/database.ts";
import { startTestDatabase } from "../db/test-database.ts";
import { WaitingRecord } from "./waiting-record.ts";

const created = await startTestDatabase();
after(() => created.drop());

const [beijing, shanghai, wuhan] = ["beijing", "shanghai", "wuhan"].map((id) => RegionId.parse(id));
assert.ok(beijing && shanghai && wuhan);

function recordOn(database: Sql, clock: FakeClock) {
  const metrics = createMetrics({});
  const log = createLog("core", "silent");
  return { record: new WaitingRecord({ database, clock, log, metrics }), metrics };
}

test("regions are noted every five seconds, a new one at once, and found by when", async () => {
  const clock = new FakeClock();
  let statements = 0;
  const counted: Sql = {
    rows: (text, values) => created.database.rows(text, values),
    run(text, values) {
      statements += 1;
      return created.database.run(text, values);
    },
  };
  const { record } = recordOn(counted, clock);
  assert.equal(await record.lastWaitedMs(), undefined);
  record.note([]);
  assert.equal(statements, 0, "nobody waits");
  const firstMs = clock.nowMs();
  record.note([beijing, shanghai, beijing]);
  record.note([beijing]);
  await record.stop();
  clock.advance(4_999);
  record.note([beijing]);
  assert.equal(statements, 1);
  record.note([beijing, wuhan]);
  await record.stop();
  assert.equal(statements, 2, "a new one");
  clock.advance(5_000);
  record.note([wuhan]);
  await record.stop();
  assert.equal(statements, 3);

  assert.deepEqual(await record.waitedSince(firstMs), [beijing, shanghai, wuhan]);
  assert.deepEqual(await record.waitedSince(firstMs + 1), [beijing, wuhan]);
  assert.deepEqual(await record.waitedSince(firstMs + 5_000), [wuhan]);
  assert.deepEqual(await record.waitedSince(firstMs + 10_000), []);
  assert.equal(await record.lastWaitedMs(), firstMs + 9_999);
});

test("a database that is away is counted, and noted when it is back", async () => {
  const clock = new FakeClock(1_800_000_000_000);
  let away = true;
  const flaky: Sql = {
    rows: (text, values) => created.database.rows(text, values),
    run: (text, values) =>
      away ? Promise.reject(new Error("away")) : created.database.run(text, values),
  };
  const { record, metrics } = recordOn(flaky, clock);
  record.note([beijing]);
  await record.stop();
  assert.match(await metrics.metrics(), /waiting_record_failed_total 1/);
  away = false;
  clock.advance(5_000);
  record.note([beijing]);
  await record.stop();
  assert.deepEqual(await record.waitedSince(clock.nowMs()), [beijing]);
});
