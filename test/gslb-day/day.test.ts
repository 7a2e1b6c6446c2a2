/**
 * A day of players with the production ranking reaches its goals, and with a planted mistake it does not.
 * `npm run day -- --players N --seed S` repeats one with all figures.
 */
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { GeoLocator } from "../../core/gslb/geo-locator.ts";
import { cases, testSeed } from "../../shared/chance.testkit.ts";
import { simulateDay } from "./day.ts";
import { PLANTED_BUGS } from "./planted-bugs.ts";
import type { Report } from "./report.ts";

const PLAYERS = cases(20_000, 1_000_000);
const FEW_PLAYERS = 5_000;
/** Where players are few, little happens between two beats. */
const BEAT_S = 120;
/** The same day in every test run; new ones in every soak. */
const SEED = cases(1, testSeed());

const locator = new GeoLocator([], { name: "nowhere", latitude: 0, longitude: 0 });
before(() => locator.start());

test("players are near where they could be best, no region is over capacity, and few flap", (t) => {
  const report = simulateDay({
    ...{ players: PLAYERS, seed: SEED, locator },
    ...(PLAYERS < 100_000 && { beatS: BEAT_S }),
  });
  t.diagnostic(`seed ${SEED}: ${summaryOf(report)}`);
  assert.deepEqual(report.missed, [], `seed ${SEED}`);
  assert.ok(report.placings > PLAYERS, "players come back");
  assert.ok(report.addedReplacedMs.count > 0, "losses met players");
});

function summaryOf({ addedMs, flapsPerPlayer, imbalance, fullestMax }: Report): string {
  return `${addedMs.median} and ${addedMs.p99} ms, ${flapsPerPlayer} flaps, ${imbalance.mean}, ${fullestMax}`;
}

test("a seed repeats", () => {
  const once = () => simulateDay({ players: 300, seed: 7, locator, beatS: BEAT_S });
  assert.deepEqual(once(), once());
});

for (const { name, parts, misses } of PLANTED_BUGS) {
  test(`found: ${name}`, () => {
    const options = { players: FEW_PLAYERS, seed: 1, locator, beatS: BEAT_S };
    const { missed } = simulateDay({ ...options, parts });
    assert.ok(missed.includes(misses), missed.join(", "));
  });
}
