/** A region's lives, by generated histories. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compareEpochs, EPOCH_NONE, type Epoch, nextEpoch } from "../../shared/epoch.ts";
import { answerTo, fenced, mayClaim, type RegionLife, unfenced } from "./fence-step.ts";

const FRESH: RegionLife = { epoch: EPOCH_NONE, wanted: "active" };

test("a fence raises the epoch once; its end keeps it", () => {
  const first = fenced({ epoch: [1, 1], wanted: "draining" }, 1);
  assert.deepEqual(first, { epoch: [1, 2], wanted: "fenced" });
  assert.equal(fenced(first, 2), first, "fenced already");
  assert.deepEqual(unfenced(first), { epoch: [1, 2], wanted: "active" });
  const active: RegionLife = { epoch: [1, 2], wanted: "draining" };
  assert.equal(unfenced(active), active);
});

test("a node is fenced while its region is, and whenever it serves in a life that is over", () => {
  const life: RegionLife = { epoch: [1, 2], wanted: "fenced" };
  for (const epoch of [EPOCH_NONE, [1, 1], [1, 2]] as Epoch[]) {
    assert.equal(answerTo(epoch, life), "fenced");
    assert.equal(mayClaim(epoch, life), false);
  }
  const next = unfenced(life);
  assert.equal(answerTo([1, 1], next), "fenced", "it missed the fence and its end");
  assert.equal(mayClaim([1, 1], next), false);
  for (const epoch of [EPOCH_NONE, [1, 2]] as Epoch[]) {
    assert.equal(answerTo(epoch, next), "active");
    assert.equal(mayClaim(epoch, next), true);
  }
  assert.equal(answerTo([1, 2], { ...next, wanted: "draining" }), "draining");
});

/** What may happen to a region's row: also that it is restored to how it once was. */
const Happening = fc.oneof(
  fc.constantFrom("register", "fence", "unfence", "drain", "promote" as const).map((type) => ({
    type,
    to: 0,
  })),
  fc.nat(20).map((to) => ({ type: "restore" as const, to })),
);

test("no epoch is granted twice, whatever rises, falls or is restored in between", () => {
  fc.assert(
    fc.property(fc.array(Happening, { maxLength: 60 }), (happenings) => {
      const granted = new Set<string>();
      const past: RegionLife[] = [FRESH];
      let life = FRESH;
      let coreTerm = 1;
      const grant = (next: RegionLife) => {
        if (compareEpochs(next.epoch, life.epoch) !== 0) {
          assert.ok(compareEpochs(next.epoch, life.epoch) > 0, "epochs only rise");
          assert.ok(!granted.has(next.epoch.join()), `${next.epoch} was granted twice`);
          granted.add(next.epoch.join());
        }
        life = next;
      };
      for (const { type, to } of happenings) {
        if (type === "promote") coreTerm += 1;
        else if (type === "fence") grant(fenced(life, coreTerm));
        else if (type === "unfence") grant(unfenced(life));
        else if (type === "drain" && life.wanted !== "fenced") {
          life = { ...life, wanted: "draining" };
        } else if (type === "register" && compareEpochs(life.epoch, EPOCH_NONE) === 0) {
          grant({ ...life, epoch: nextEpoch(life.epoch, coreTerm) });
        } else if (type === "restore") {
          // A backup is older, and the core's term is raised before it serves.
          life = past[to % past.length] ?? FRESH;
          coreTerm += 1;
        }
        past.push(life);
      }
    }),
  );
});
