/** A wheel wakes what a list does that is looked through each time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Chance, cases, testSeed } from "../../shared/chance.testkit.ts";
import { WakeWheel, type Waking } from "./wake-wheel.ts";

const STEP_MS = 1_000;
const BEGIN_MS = 1_700_000_000_123;

interface One extends Waking {
  readonly name: number;
  /** What the list says: when it is due, not later than the end of that second. */
  dueMs: number;
}

test("each is woken once, in the second after its time at the latest, and never before", (t) => {
  const seed = testSeed();
  t.diagnostic(`seed ${seed}`);
  const chance = new Chance(seed);
  let nowMs = BEGIN_MS;
  const wheel = new WakeWheel<One>(nowMs);
  const all = Array.from({ length: 50 }, (_, name): One => {
    return { name, wakeAtMs: Number.POSITIVE_INFINITY, dueMs: Number.POSITIVE_INFINITY };
  });
  for (let step = 0; step < cases(5_000, 200_000); step += 1) {
    const one = chance.of(all);
    const atMs = nowMs + chance.below(20_000) - 2_000;
    wheel.wakeBy(one, atMs);
    one.dueMs = Math.min(one.dueMs, Math.max(nowMs, atMs));
    if (!chance.once(3)) continue;
    nowMs += chance.once(50) ? chance.below(600_000) : chance.below(2_500);
    for (const woken of wheel.due(nowMs)) {
      assert.ok(woken.dueMs <= nowMs, "never before its time");
      woken.dueMs = Number.POSITIVE_INFINITY;
      if (!chance.once(3)) continue;
      // Some are due again at once: they are not woken within the same round.
      wheel.wakeBy(woken, nowMs);
      woken.dueMs = nowMs;
    }
    for (const { dueMs } of all) assert.ok(dueMs > nowMs - 2 * STEP_MS, "a second late at most");
  }
  nowMs += 1_000_000;
  for (const woken of wheel.due(nowMs)) woken.dueMs = Number.POSITIVE_INFINITY;
  assert.ok(all.every(({ dueMs, wakeAtMs }) => dueMs === wakeAtMs));
  assert.deepEqual([...wheel.due(nowMs + 1_000_000)], [], "nothing is left in it");
});
