/** However large documents are, no batch is too large for the core: such a one would never get there. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PlayerId } from "../../shared/ids.ts";
import { BATCH_BYTES_MAX, BATCH_ITEMS_MAX } from "../../shared/protocol/player-state.ts";
import { newProducer, type ProducerEffect, producerStep } from "./producer-step.ts";

/** Documents of 60 KiB of three-byte characters, as after a rewrite: all players' at once. */
test("batches of large documents stay below the core's bound", () => {
  const state = newProducer("beijing-1/0");
  const text = "文".repeat(20_000);
  for (let n = 0; n < 400; n += 1) {
    const playerId = `player-${n % 40}` as PlayerId;
    const collection = `collection-${n % 10}-${Math.floor(n / 40)}`;
    const set = { text };
    state.waiting.add({ playerId, stateEpoch: [1, 1], collection, format: 1, set });
  }
  const sizes: number[] = [];
  let items = 0;
  const carryOut = (effects: readonly ProducerEffect[]): void => {
    for (const effect of effects) {
      const by = effect.type === "rewrite" ? undefined : "by" in effect ? effect.by : undefined;
      if (!by) continue;
      if (effect.type === "open") carryOut(producerStep(state, { type: "opened", by }));
      if (effect.type === "append") {
        carryOut(producerStep(state, { type: "appended", by, seq: effect.entry.seq }));
      }
      if (effect.type === "send") {
        const { fromSeq, toSeq } = effect.batch;
        if (toSeq < fromSeq) continue;
        assert.ok(effect.batch.items.length <= BATCH_ITEMS_MAX);
        sizes.push(Buffer.byteLength(JSON.stringify({ producerId: by, ...effect.batch })));
        items += effect.batch.items.length;
        const standing = { lastSeq: toSeq, flushedSeq: toSeq, coreTerm: 1 };
        const answer = { outcome: "applied", ...standing, refused: 0 } as const;
        carryOut(producerStep(state, { type: "answered", by, answer }));
      }
    }
  };
  for (let n = 0; n < 100 && items < 400; n += 1) carryOut(producerStep(state, { type: "due" }));
  assert.equal(items, 400);
  assert.ok(sizes.length > 4);
  for (const size of sizes) assert.ok(size < BATCH_BYTES_MAX, `${size} bytes`);
});
