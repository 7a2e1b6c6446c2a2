import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compareEpochs, EPOCH_NONE, Epoch, nextEpoch } from "./epoch.ts";

const epoch = fc.tuple(fc.nat(1000), fc.nat(1000)) as fc.Arbitrary<Epoch>;

test("the next epoch is newer, whatever the core's term is", () => {
  fc.assert(
    fc.property(epoch, fc.nat(1000), (current, coreTerm) => {
      const next = nextEpoch(current, coreTerm);
      assert.ok(compareEpochs(next, current) > 0);
      assert.ok(next[0] >= coreTerm);
    }),
  );
});

test("an epoch of a later term is newer than every epoch of an earlier one", () => {
  fc.assert(
    fc.property(epoch, epoch, (a, b) => {
      fc.pre(a[0] !== b[0]);
      assert.equal(Math.sign(compareEpochs(a, b)), Math.sign(a[0] - b[0]));
    }),
  );
});

test("nothing granted is older than anything granted", () => {
  assert.ok(compareEpochs(nextEpoch(EPOCH_NONE, 0), EPOCH_NONE) > 0);
});

test("an epoch from outside must be two whole numbers", () => {
  for (const bad of [[1], [1, 2, 3], [1, -1], [1.5, 1], ["1", 1], null]) {
    assert.equal(Epoch.safeParse(bad).success, false, JSON.stringify(bad));
  }
});
