import assert from "node:assert/strict";
import { test } from "node:test";
import { Random, RandomState } from "./random.ts";

/** The outputs of xoshiro128starstar.c for s = {1, 2, 3, 4}, worked out apart, in 64-bit integers. */
const REFERENCE = [
  11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597,
  4258142804,
];

test("draws the numbers of the published algorithm", () => {
  const random = new Random([1, 2, 3, 4]);
  const drawn = Array.from({ length: 10 }, () => random.next());
  assert.deepEqual(drawn, REFERENCE);
});

test("goes on from its state where another left off", () => {
  const first = Random.fromSeed(2024);
  for (let i = 0; i < 1000; i++) first.next();
  const second = new Random(RandomState.parse(JSON.parse(JSON.stringify(first.state))));
  for (let i = 0; i < 100; i++) assert.equal(second.next(), first.next());
});

test("stays in range, and reaches both ends", () => {
  const random = Random.fromSeed(7);
  const ints = new Set(Array.from({ length: 500 }, () => random.int(6)));
  assert.deepEqual([...ints].sort(), [0, 1, 2, 3, 4, 5]);
  for (let i = 0; i < 1000; i++) {
    const float = random.float();
    assert.ok(float >= 0 && float < 1);
  }
  assert.throws(() => random.int(0), RangeError);
  assert.throws(() => random.pick([]), RangeError);
});

test("a shuffle keeps the items and leaves the original alone", () => {
  const random = Random.fromSeed(1);
  const items = [1, 2, 3, 4, 5, 6, 7, 8];
  const shuffled = random.shuffle(items);
  assert.notDeepEqual(shuffled, items);
  assert.deepEqual(shuffled.toSorted(), items);
  assert.deepEqual(items, [1, 2, 3, 4, 5, 6, 7, 8]);
});

test("an all-zero state still draws", () => {
  const random = new Random([0, 0, 0, 0]);
  assert.notEqual(random.next() + random.next() + random.next(), 0);
});
