/** Changes of documents: two as one do what they do one after the other. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cases, testSeed } from "../chance.testkit.ts";
import { changed, merged, replacing } from "./change.ts";
import { someDocument, someFieldChanges } from "./player-state.testkit.ts";

const seed = testSeed();
const runs = { seed, numRuns: cases(1_000, 100_000) };

test("merged(a, b) does to every document what a and then b do", (t) => {
  t.diagnostic(`seed ${seed}`);
  fc.assert(
    fc.property(someDocument, someFieldChanges, someFieldChanges, (document, a, b) => {
      assert.deepEqual(changed(document, merged(a, b)), changed(changed(document, a), b));
    }),
    runs,
  );
});

test("it does not matter which of three are merged first, for any document", (t) => {
  t.diagnostic(`seed ${seed}`);
  const three = fc.tuple(someFieldChanges, someFieldChanges, someFieldChanges);
  fc.assert(
    fc.property(someDocument, three, (document, [a, b, c]) => {
      const left = changed(document, merged(merged(a, b), c));
      assert.deepEqual(left, changed(document, merged(a, merged(b, c))));
    }),
    runs,
  );
});

test("a merged change has each field in one place at most, and nothing empty", (t) => {
  t.diagnostic(`seed ${seed}`);
  fc.assert(
    fc.property(someFieldChanges, someFieldChanges, (a, b) => {
      const { set = {}, add = {}, unset = [], ...rest } = merged(a, b);
      const names = [...Object.keys(set), ...Object.keys(add), ...unset];
      assert.equal(new Set(names).size, names.length);
      assert.deepEqual(rest, {});
      for (const part of Object.values(merged(a, b))) {
        assert.notEqual(Object.keys(part ?? {}).length, 0);
      }
    }),
    runs,
  );
});

test("neither a document nor a change is touched by what is made of it", (t) => {
  t.diagnostic(`seed ${seed}`);
  fc.assert(
    fc.property(someDocument, someFieldChanges, someFieldChanges, (document, a, b) => {
      const before = JSON.stringify([document, a, b]);
      changed(document, a);
      merged(a, b);
      assert.equal(JSON.stringify([document, a, b]), before);
    }),
    runs,
  );
});

test("replacing makes any document that document", (t) => {
  t.diagnostic(`seed ${seed}`);
  fc.assert(
    fc.property(someDocument, someDocument, (wanted, other) => {
      assert.deepEqual(changed(other, replacing(wanted, Object.keys(other))), wanted);
    }),
    runs,
  );
});
