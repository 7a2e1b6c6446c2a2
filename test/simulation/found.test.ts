/** What the simulator has found in the steps, each as the shortest story of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { applyBatch, type BatchRows, type OwnedPlayer } from "../../core/sync/applier-step.ts";
import {
  type Entry,
  type ProducerEvent,
  type ProducerState,
  producerIdOf,
  producerStep,
  takenOverProducer,
} from "../../region/outbox/producer-step.ts";
import type { PlayerId } from "../../shared/ids.ts";
import type { BatchRequest, ProducerId } from "../../shared/protocol/player-state.ts";

const playerId = "p1" as PlayerId;
const producerId = "a-1/0/1" as ProducerId;

function rowsOf(owned: OwnedPlayer, lastSeq = 0): BatchRows {
  return {
    checkpoint: { lastSeq, closed: false },
    coreTerm: 2,
    players: new Set([playerId]),
    owners: new Map([[playerId, owned]]),
    documents: new Map(),
  };
}

function entryOf(seq: number): Entry {
  const change = { playerId, collection: "stats", format: 1, add: { xp: 1 } };
  return { seq, items: [{ ...change, stateEpoch: [1, 1] }], text: "[]", marks: new Map() };
}

/** A dead node's stream, of which the entries 6 to 8 are there, and on their way. */
function takenOver() {
  const state = takenOverProducer("a-1/0", 1, [6, 7, 8].map(entryOf));
  const effects = producerStep(state, { type: "due" });
  return { state, effects };
}

function answered(state: ProducerState, lastSeq: number, flushedSeq = lastSeq): ProducerEvent {
  const answer = { outcome: "out_of_sequence", lastSeq, flushedSeq, coreTerm: 2 } as const;
  return { type: "answered", by: producerIdOf(state), answer };
}

test("a marker of a grant that the core has lost does not shut out the owner before", () => {
  const release = { playerId, stateEpoch: [1, 3], release: true } as const;
  const batch: BatchRequest = { producerId, fromSeq: 1, toSeq: 1, items: [release] };
  const decision = applyBatch(rowsOf({ stateEpoch: [1, 2], standing: "held" }), batch);
  assert.equal(decision.outcome, "applied");
  assert.equal(decision.outcome === "applied" && decision.owners.size, 0);
});

test("an owner that was taken for dead and goes on to write holds the player again", () => {
  const change = { playerId, collection: "stats", format: 1, set: { xp: 1 } };
  const items: BatchRequest["items"] = [{ ...change, stateEpoch: [1, 2] }];
  const rows = rowsOf({ stateEpoch: [1, 2], standing: "freed" });
  const decision = applyBatch(rows, { producerId, fromSeq: 1, toSeq: 1, items });
  assert.ok(decision.outcome === "applied");
  assert.equal(decision.owners.get(playerId)?.standing, "held");
});

test("what a restored core lacks is left out, once, and nothing goes to another producer", () => {
  const { state, effects } = takenOver();
  const again = producerStep(state, answered(state, 2));
  assert.equal(effects[0]?.type, "send");
  const sent = again.find(({ type }) => type === "send");
  assert.ok(sent?.type === "send");
  assert.deepEqual([sent.batch.fromSeq, sent.batch.toSeq, sent.batch.skips], [6, 8, true]);
  const owned = { stateEpoch: [1, 1], standing: "held" } as const;
  const batch = { producerId, ...sent.batch, items: [...sent.batch.items] };
  assert.equal(applyBatch(rowsOf(owned, 2), batch).outcome, "applied");
  assert.equal(applyBatch(rowsOf(owned, 8), batch).outcome, "out_of_sequence");
  assert.equal(applyBatch(rowsOf(owned, 6), batch).outcome, "out_of_sequence");
});

test("nothing of an incarnation counts once a newer one has brought something", () => {
  const rows = { ...rowsOf({ stateEpoch: [1, 1], standing: "held" }), outlived: true };
  const batch = { producerId, fromSeq: 1, toSeq: 1, items: [...entryOf(1).items] };
  assert.equal(applyBatch(rows, batch).outcome, "closed");
});

test("the end of a stream that was taken over is told until there is an answer", () => {
  const { state } = takenOver();
  const closing = producerStep(state, answered(state, 8));
  assert.deepEqual(closing.at(-1), { type: "close", by: producerId, drained: true });
  const retried = producerStep(state, { type: "due" });
  assert.deepEqual(retried, [{ type: "close", by: producerId, drained: true }]);
});
