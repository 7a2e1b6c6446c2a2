/** Merging a list of items changes nothing of what the core makes of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { cases, testSeed } from "../chance.testkit.ts";
import { compareEpochs, EPOCH_NONE, type Epoch } from "../epoch.ts";
import type { PlayerId } from "../ids.ts";
import type { Document, OutboxItem } from "../protocol/player-state.ts";
import { changed } from "./change.ts";
import { ChangeSet, type TakenItems } from "./change-set.ts";
import { someItem } from "./player-state.testkit.ts";

const seed = testSeed();
const runs = { seed, numRuns: cases(1_000, 100_000) };
const players = ["ada", "bea", "cid"] as PlayerId[];
const someItems = fc.array(someItem(players), { maxLength: 40 });
const ALL = Number.POSITIVE_INFINITY;

/** What comes of the items in the end, by the rules of the core: the newest epoch, until it is released. */
function resultOf(items: readonly OutboxItem[]) {
  const documents = new Map<string, Document>();
  const owners = new Map<PlayerId, { epoch: Epoch; released: boolean }>();
  for (const item of items) {
    const owner = owners.get(item.playerId) ?? { epoch: EPOCH_NONE, released: false };
    const order = compareEpochs(item.stateEpoch, owner.epoch);
    if (order < 0 || (order === 0 && owner.released)) continue;
    owners.set(item.playerId, { epoch: item.stateEpoch, released: "release" in item });
    if ("release" in item) continue;
    const key = `${item.playerId}/${item.collection}`;
    documents.set(key, changed(documents.get(key) ?? {}, item));
  }
  return { documents, owners };
}

function setOf(items: readonly OutboxItem[]): ChangeSet {
  const set = new ChangeSet();
  for (const item of items) set.add(item);
  return set;
}

test("merging changes no result", (t) => {
  t.diagnostic(`seed ${seed}`);
  fc.assert(
    fc.property(someItems, (items) => {
      assert.deepEqual(resultOf(setOf(items).take(ALL).items), resultOf(items));
    }),
    runs,
  );
});

test("nor does it matter in which pieces they were taken and merged again", (t) => {
  t.diagnostic(`seed ${seed}`);
  const pieces = fc.array(someItems, { maxLength: 5 });
  fc.assert(
    fc.property(pieces, fc.integer({ min: 1, max: 8 }), (lists, atLeast) => {
      const again = new ChangeSet();
      for (const list of lists) {
        const set = setOf(list);
        while (set.size > 0) again.addAll(set.take(atLeast));
      }
      assert.deepEqual(resultOf(again.take(ALL).items), resultOf(lists.flat()));
    }),
    runs,
  );
});

test("no change goes past a marker, or a newer epoch, of its player", (t) => {
  t.diagnostic(`seed ${seed}`);
  fc.assert(
    fc.property(someItems, (items) => {
      for (const playerId of players) {
        const own = items.filter((item) => item.playerId === playerId);
        const taken = setOf(own).take(ALL).items;
        assert.deepEqual(barriers(taken), barriers(own));
      }
    }),
    runs,
  );
});

/** Which kinds of items lie behind each marker and each first item of a higher epoch, in order. */
function barriers(items: readonly OutboxItem[]): string[] {
  let highest: Epoch = EPOCH_NONE;
  const seen: string[] = [];
  for (const item of items) {
    const newer = compareEpochs(item.stateEpoch, highest) > 0;
    if (newer) highest = item.stateEpoch;
    if ("release" in item) seen.push(`release ${item.stateEpoch}`);
    else if (newer) seen.push(`newer ${item.stateEpoch}`);
  }
  // A marker said twice is one.
  return seen.filter((barrier, at) => barrier !== seen[at - 1]);
}

test("sizes are right, whole players are taken, and marks go along", (t) => {
  t.diagnostic(`seed ${seed}`);
  fc.assert(
    fc.property(someItems, fc.integer({ min: 1, max: 8 }), (items, atLeast) => {
      const set = new ChangeSet();
      const marks = new Map<PlayerId, number>();
      items.forEach((item, at) => {
        set.add(item, at + 1);
        marks.set(item.playerId, at + 1);
      });
      assert.ok(set.size <= items.length);
      const met = new Map<PlayerId, number>();
      let left = set.size;
      while (left > 0) {
        const taken: TakenItems = set.take(atLeast);
        left -= taken.items.length;
        assert.equal(set.size, left);
        assert.ok(taken.items.length >= Math.min(atLeast, taken.items.length + left));
        for (const playerId of new Set(taken.items.map((item) => item.playerId))) {
          assert.ok(!met.has(playerId), "a player's items are taken together");
        }
        for (const [playerId, revision] of taken.marks) met.set(playerId, revision);
      }
      assert.deepEqual(met, marks);
    }),
    runs,
  );
});

test("taken as text: the same items, and no further player past the bytes", (t) => {
  t.diagnostic(`seed ${seed}`);
  fc.assert(
    fc.property(someItems, fc.integer({ min: 1, max: 2_000 }), (items, bytesMax) => {
      const [plain, bounded] = [setOf(items), setOf(items)];
      const all: OutboxItem[] = [];
      while (bounded.size > 0) {
        const { items: taken, text } = bounded.takeText(ALL, bytesMax);
        assert.equal(text, JSON.stringify(taken));
        const last = taken.at(-1)?.playerId;
        const before = taken.filter(({ playerId }) => playerId !== last);
        assert.ok(JSON.stringify(before).length - 2 < bytesMax || before.length === 0);
        all.push(...taken);
      }
      assert.deepEqual(all, plain.take(ALL).items);
    }),
    runs,
  );
});
