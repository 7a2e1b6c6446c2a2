import assert from "node:assert/strict";
import { test } from "node:test";
import { isStorable, NESTING_MAX } from "./storable.ts";

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level += 1) value = [value];
  return value;
}

test("what JSON says and PostgreSQL keeps is storable", () => {
  for (const value of ["", "你好", "🎲", 0, -1.5, true, null, [], {}, { a: [{ b: null }] }]) {
    assert.equal(isStorable(value), true, JSON.stringify(value));
  }
  assert.equal(isStorable(nested(NESTING_MAX)), true);
});

test("what would come back as something else, or not go in, is not", () => {
  const poisoned: unknown = JSON.parse('{"a":{"__proto__":{"b":1}}}');
  for (const value of [
    undefined,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    1n,
    () => 1,
    new Date(0),
    new Map(),
    "a\0b",
    "\ud800",
    { "\0": 1 },
    [undefined],
    poisoned,
    { constructor: { prototype: 1 } },
    nested(NESTING_MAX + 1),
    nested(100_000),
  ]) {
    assert.equal(isStorable(value), false);
  }
});
