/** The record of regions with players who wait, in a real database. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { FakeClock } from "../../shared/fake-clock.ts";
import { RegionId } from "../../shared/ids.ts";
import { startTestDatabase } from "../db/test-database.ts";
import { WaitingRecord } from "./waiting-record.ts";

const { database, drop } = await startTestDatabase();
after(drop);

const [beijing, shanghai, wuhan] = ["beijing", "shanghai", "wuhan"].map((id) => RegionId.parse(id));
assert.ok(beijing && shanghai && wuhan);

test("regions are found by when somebody last waited there, whichever core noted it", async () => {
  const clock = new FakeClock();
  const cores = [new WaitingRecord({ database, clock }), new WaitingRecord({ database, clock })];
  const [one, two] = cores;
  assert.ok(one && two);
  assert.equal(await one.lastWaitedMs(), undefined);
  assert.deepEqual(await one.waitedSince(0), []);
  const firstMs = clock.nowMs();
  await one.note([shanghai, beijing]);
  clock.advance(5_000);
  await Promise.all([one.note([beijing, wuhan]), two.note([wuhan, beijing])]);

  assert.deepEqual(await two.waitedSince(firstMs), [beijing, shanghai, wuhan]);
  assert.deepEqual(await two.waitedSince(firstMs + 1), [beijing, wuhan]);
  assert.deepEqual(await two.waitedSince(firstMs + 5_001), []);
  assert.equal(await two.lastWaitedMs(), firstMs + 5_000);
});
