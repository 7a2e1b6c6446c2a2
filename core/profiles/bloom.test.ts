import assert from "node:assert/strict";
import { test } from "node:test";
import { Chance, testSeed } from "../../shared/chance.testkit.ts";
import { uuidV7 } from "../../shared/ids.ts";
import { Bloom } from "./bloom.ts";

const KEYS = 100_000;
const seed = testSeed();

test(`none that was added is missed; others pass at the stated rate (TEST_SEED=${seed})`, () => {
  const chance = new Chance(seed);
  const newKey = (n: number) => `i${uuidV7(1_700_000_000_000 + n, chance.bytes(10))}`;
  const bloom = new Bloom(KEYS, chance.below(2 ** 32));
  const added = Array.from({ length: KEYS }, (_, n) => newKey(n));
  for (const key of added) bloom.add(key);
  assert.ok(added.every((key) => bloom.has(key)));
  assert.ok(KEYS - bloom.size < 20, `${bloom.size} counted`);
  assert.equal(bloom.bytes, 2 * KEYS);
  const wrong = Array.from({ length: KEYS }, (_, n) => newKey(n)).filter((key) => bloom.has(key));
  // 46 are expected of 100,000; their spread is 7.
  assert.ok(wrong.length < 100, `${wrong.length} of ${KEYS} passed`);
  // Names are short and alike, which must not matter.
  const names = Array.from({ length: KEYS }, (_, n) => `nGuest ${n}`);
  const alike = names.filter((name) => bloom.has(name));
  assert.ok(alike.length < 100, `${alike.length} of ${KEYS} passed`);
});

test("which keys pass wrongly depends on the seed, so nobody can look for them outside", () => {
  const wrongOf = (own: number) => {
    const bloom = new Bloom(1_000, own);
    for (let n = 0; n < 4_000; n += 1) bloom.add(`n${n}`);
    return Array.from({ length: 2_000 }, (_, n) => `n${-n - 1}`).filter((key) => bloom.has(key));
  };
  const [one, other] = [wrongOf(1), wrongOf(2)];
  assert.ok(one.length > 50, `${one.length}`);
  const both = one.filter((key) => other.includes(key));
  assert.ok(both.length < one.length / 2, `${both.length} of ${one.length} pass under both`);
});
