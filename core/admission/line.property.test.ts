/** A line does what a sorted array does that is looked through from the front. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Chance, cases, testSeed } from "../../shared/chance.testkit.ts";
import type { PlayerId, RegionId } from "../../shared/ids.ts";
import { Line } from "./line.ts";
import type { Entry, Place } from "./place.ts";

const STEPS = cases(8_000, 400_000);
const CHECK_EVERY = 97;

test("random adds, removes and turns are as in a sorted array", (t) => {
  const seed = testSeed();
  t.diagnostic(`seed ${seed}`);
  const chance = new Chance(seed);
  const line = new Line();
  const naive: Place[] = [];
  for (let step = 0; step < STEPS; step += 1) {
    // Grows to some chunks, and shrinks again.
    const grows = chance.float() < (Math.floor(step / 2_500) % 2 === 0 ? 0.85 : 0.2);
    if (grows || naive.length === 0) {
      const place = placeOf(line, chance);
      line.add(place);
      const at = naive.findIndex(({ number }) => number > place.number);
      naive.splice(at < 0 ? naive.length : at, 0, place);
    } else {
      const [gone] = naive.splice(chance.below(naive.length), 1);
      if (gone) line.remove(gone);
    }
    if (naive.length > 0) line.setReady(chance.of(naive), chance.once(2));
    if (step % CHECK_EVERY === 0) requireSame(line, naive, chance);
  }
  for (const place of naive) line.remove(place);
  requireSame(line, [], chance);
});

function requireSame(line: Line, naive: readonly Place[], chance: Chance): void {
  assert.deepEqual([...line], naive);
  assert.deepEqual(
    [...line.readyPlaces()],
    naive.filter(({ ready }) => ready),
  );
  assert.equal(line.places, naive.length);
  assert.equal(line.ready, naive.filter(({ ready }) => ready).length);
  assert.equal(line.players, playersOf(naive));
  for (let n = 0; n < 5 && naive.length > 0; n += 1) {
    const place = chance.of(naive);
    assert.equal(line.ahead(place), playersOf(naive.slice(0, naive.indexOf(place))));
    assert.ok(line.has(place.number));
  }
  const free = Math.floor(chance.float() * 1e6);
  assert.equal(
    line.has(free),
    naive.some(({ number }) => number === free),
  );
}

function playersOf(places: readonly Place[]): number {
  return places.reduce((sum, { entry }) => sum + entry.size, 0);
}

function placeOf(line: Line, chance: Chance): Place {
  let number = Math.floor(chance.float() * 1e6);
  while (line.has(number)) number += 1;
  const entry: Entry = {
    leader: "p" as PlayerId,
    class: 0,
    members: [],
    invited: [],
    places: [],
    others: [],
    call: undefined,
    missed: 0,
    wakeAtMs: Number.POSITIVE_INFINITY,
    size: 1 + chance.below(5),
  };
  const regionId = "x" as RegionId;
  return { entry, regionId, number, drawn: false, ready: chance.once(2), passedSeats: 0 };
}

test("a place that is not in the line is told of, not passed over", () => {
  const line = new Line();
  const chance = new Chance(1);
  assert.throws(() => line.remove(placeOf(line, chance)));
  line.add(placeOf(line, chance));
  assert.throws(() => line.remove(placeOf(line, chance)));
});
