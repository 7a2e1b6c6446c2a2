import assert from "node:assert/strict";
import { test } from "node:test";
import type { PlayerId } from "../../shared/ids.ts";
import { documentKey, type WrittenDocument } from "./applier-step.ts";
import { DocumentCache } from "./document-cache.ts";

function written(name: string, version: number, length = 10): WrittenDocument {
  const fields = { text: "x".repeat(length - 11) };
  const playerId = name as PlayerId;
  return {
    playerId,
    collection: "stats",
    format: 1,
    version,
    fields,
    text: JSON.stringify(fields),
  };
}

const keyOf = (name: string) => documentKey(name as PlayerId, "stats");

test("what was written last is found, however late an earlier version is told of", () => {
  const cache = new DocumentCache(1_000);
  cache.put(written("ada", 2, 20));
  cache.put(written("ada", 1, 30));
  const found = cache.get(keyOf("ada"));
  assert.deepEqual([found?.version, found?.fields], [2, { text: "x".repeat(9) }]);
  cache.forget(keyOf("ada"));
  assert.equal(cache.get(keyOf("ada")), undefined);
});

test("it holds so much and no more, and what was written again stays", () => {
  const cache = new DocumentCache(2_000);
  for (let n = 0; n < 100; n += 1) {
    cache.put(written("ada", n + 1, 100));
    cache.put(written(`player-${n}`, 1, 100));
    assert.equal(cache.get(keyOf("ada"))?.version, n + 1);
  }
  const kept = Array.from({ length: 100 }, (_, n) => cache.get(keyOf(`player-${n}`)));
  const count = kept.filter((one) => one).length;
  assert.ok(count >= 5 && count < 20, `${count} others`);
  assert.ok(kept.at(-1));
});
