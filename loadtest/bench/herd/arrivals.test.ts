/** The measure of a herd's spread. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bucketMaxOverMean } from "./arrivals.ts";

const every = (count: number, periodMs: number) =>
  Array.from({ length: count }, (_, index) => 1_000 + index * periodMs);

test("arrivals at a steady pace are even, and all at once is one bucket", () => {
  assert.ok(bucketMaxOverMean(every(1_000, 10)) < 1.02);
  assert.equal(bucketMaxOverMean(new Array(50).fill(7)), 1);
  assert.ok(Number.isNaN(bucketMaxOverMean([])));
});

test("a heap stands out, a few who come late do not thin out the mean", () => {
  const heap = new Array(100).fill(3_000);
  const even = every(400, 10);
  assert.ok(bucketMaxOverMean([...even, ...heap]) > 8);
  const late = [60_000, 61_000];
  assert.ok(bucketMaxOverMean([...even, ...late]) < 1.1);
});
