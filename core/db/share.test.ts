/** A share of the connections: how many it takes, who waits, and who is refused. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { isFailure } from "../../shared/errors.ts";
import { FakeClock } from "../../shared/fake-clock.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { until } from "../../test/until.ts";
import { ConnectionShare } from "./share.ts";
import { startTestDatabase } from "./test-database.ts";

const created = await startTestDatabase();
after(() => created.drop());

const unavailable = (error: unknown) => isFailure(error, "unavailable");

function shareOf(connectionsMax: number) {
  const clock = new FakeClock();
  const metrics = createMetrics({});
  const { database } = created;
  const share = new ConnectionShare({
    of: "tests",
    connections: database,
    connectionsMax,
    clock,
    metrics,
  });
  const ended: Promise<unknown>[] = [];
  const begun: number[] = [];
  const releases = new Map<number, () => void>();
  /** A transaction that holds its connection until it is released. */
  const hold = (n: number) => {
    const released = new Promise<void>((resolve) => releases.set(n, resolve));
    const work = share.transaction(() => {
      begun.push(n);
      return released;
    });
    ended.push(work);
    return work;
  };
  return { share, clock, metrics, begun, ended, hold, release: (n: number) => releases.get(n)?.() };
}

test("no more are in use than its part, and the others go on beside it", async () => {
  const { share, begun, ended, hold, release } = shareOf(2);
  for (const n of [1, 2, 3, 4]) void hold(n);
  await until("two have begun", () => begun.length === 2);
  assert.deepEqual(await created.database.rows("select 1 as n"), [{ n: 1 }]);
  assert.deepEqual(begun, [1, 2]);
  release(2);
  await until("the one that waited longest begins", () => begun.length === 3);
  assert.equal(begun[2], 3);
  for (const n of [1, 3, 4]) release(n);
  await Promise.all(ended);
  assert.equal(await share.run("select 1"), 1, "its places are free again");
  await assert.rejects(share.rows("select 1 / 0"));
  await Promise.all([share.run("select 1"), share.run("select 1"), share.run("select 1")]);
});

test("who waits too long, or is one too many, is refused and counted", async () => {
  const { share, clock, metrics, begun, hold, release } = shareOf(1);
  const first = hold(1);
  await until("it has begun", () => begun.length === 1);
  const waiting = Array.from({ length: 256 }, () => share.run("select 1"));
  const outcomes = Promise.allSettled(waiting);
  await assert.rejects(share.run("select 1"), unavailable);
  assert.match(await metrics.metrics(), /^meridian_db_tests_waiting 256$/m);
  clock.advance(2_000);
  for (const outcome of await outcomes) {
    assert.ok(outcome.status === "rejected" && unavailable(outcome.reason));
  }
  assert.match(await metrics.metrics(), /^meridian_db_tests_refused_total 257$/m);
  release(1);
  await first;
  assert.equal(await share.run("select 1"), 1);
});
