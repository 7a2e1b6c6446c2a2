/** Mistakes that one could make at the core, each planted into an otherwise faultless world. */
import { applyBatch } from "../../core/sync/applier-step.ts";
import { decideLoad } from "../../core/sync/ownership-step.ts";
import { compareEpochs, EPOCH_NONE, nextEpoch } from "../../shared/epoch.ts";
import type { BatchRequest } from "../../shared/protocol/player-state.ts";
import { decide } from "../../shared/value/value-step.ts";
import { type PlantedBug, planted, rule } from "./planted.ts";

export const CORE_BUGS: readonly PlantedBug[] = [
  planted("the fence is skipped: changes of any epoch are taken", {
    applyBatch: (rows, batch) => {
      const newest = (item: BatchRequest["items"][number]) =>
        rows.owners.get(item.playerId)?.stateEpoch ?? item.stateEpoch;
      const items = batch.items.map((item) =>
        "release" in item ? item : { ...item, stateEpoch: newest(item) },
      );
      const decision = applyBatch(rows, { ...batch, items });
      return decision;
    },
  }),
  planted(
    "a marker of a grant that the core has lost counts",
    {
      applyBatch: (rows, batch) => {
        const newer = batch.items.flatMap((item) => {
          const owned = rows.owners.get(item.playerId);
          const isNewer = owned && compareEpochs(item.stateEpoch, owned.stateEpoch) > 0;
          return isNewer && "release" in item ? [[item.playerId, item.stateEpoch] as const] : [];
        });
        const lost = new Map(newer);
        const owners = new Map(rows.owners);
        for (const [id, stateEpoch] of lost) owners.set(id, { stateEpoch, standing: "held" });
        return applyBatch({ ...rows, owners }, batch);
      },
    },
    true,
  ),
  planted("a batch that overlaps is applied as a whole", {
    applyBatch: (rows, batch) => {
      const lastSeq = rows.checkpoint?.lastSeq ?? 0;
      const overlaps = batch.fromSeq <= lastSeq && batch.toSeq > lastSeq;
      return applyBatch(rows, overlaps ? { ...batch, fromSeq: lastSeq + 1 } : batch);
    },
  }),
  planted("a batch that leaves a gap is applied", {
    applyBatch: (rows, batch) => {
      const lastSeq = rows.checkpoint?.lastSeq ?? 0;
      const gap = batch.fromSeq > lastSeq + 1 && batch.toSeq >= batch.fromSeq;
      return applyBatch(rows, gap ? { ...batch, fromSeq: lastSeq + 1 } : batch);
    },
  }),
  planted("a batch that was sent twice is applied twice", {
    applyBatch: (rows, batch) => {
      const lastSeq = rows.checkpoint?.lastSeq ?? 0;
      const again = batch.toSeq >= batch.fromSeq && batch.toSeq === lastSeq;
      return applyBatch(rows, again ? { ...batch, fromSeq: lastSeq + 1 } : batch);
    },
  }),
  planted("a closed producer goes on", {
    applyBatch: ({ checkpoint, ...rows }, batch) =>
      applyBatch({ ...rows, checkpoint: checkpoint && { ...checkpoint, closed: false } }, batch),
  }),
  planted("a load does not wait for the owner before", {
    decideLoad: (rows, request) => decideLoad({ ...rows, ownerAlive: false }, request),
  }),
  planted("a load of an older session is granted", {
    decideLoad: (rows, request) => {
      const owner = rows.owner && { ...rows.owner, sessionEpoch: EPOCH_NONE };
      return decideLoad({ ...rows, owner, placedEpoch: EPOCH_NONE, ownerAlive: false }, request);
    },
  }),
  planted("a load that is asked for again is granted again", {
    decideLoad: (rows, request) => {
      const decision = decideLoad(rows, request);
      if (decision.outcome !== "granted" || decision.isNew) return decision;
      const stateEpoch = nextEpoch(decision.owner.stateEpoch, rows.coreTerm);
      return { outcome: "granted", isNew: true, owner: { ...decision.owner, stateEpoch } };
    },
  }),
  planted("an epoch is granted again after a release", {
    decideLoad: (rows, request) => {
      const decision = decideLoad(rows, request);
      if (decision.outcome !== "granted" || rows.owner?.standing !== "released") return decision;
      return { ...decision, owner: { ...decision.owner, stateEpoch: rows.owner.stateEpoch } };
    },
  }),
  rule("a batch and its checkpoint are two transactions", { checkpointWithBatch: false }),
  rule("a batch is looked at without its locks", { batchesLock: false }),
  rule("a load is looked at without its lock", { loadsLock: false }),
  rule("a batch is answered before its commit", { answersAfterCommit: false }),
  rule("a grant is told before it is flushed", { loadsWaitForFlush: false }),
  rule("what was applied is called flushed", { flushedIsFlushed: false }),
  rule("the term does not rise with a rewound database", { termRises: false }),
  rule("a dead node's players are free with its first stream", { drainsAllStreams: false }),
  rule("an operation is told before it is flushed", { valueWaitsForFlush: false }),
  rule("a room's claim is told before it is flushed", { claimsWaitForFlush: false }, true),
  rule("an operation of a former owner is taken", { valueChecksOwner: false }),
  rule("an operation that was decided is decided again", { valueOnce: false }),
  rule("an operation is asked for again under another id", { valueKeepsId: false }),
  rule("wallets are looked at without their locks", { valueLocks: false }),
  planted("the games' side of an operation is not booked", {
    decide: (changes, touched) => {
      const decision = decide(changes, touched);
      if (decision.refusal) return decision;
      return { committed: { ...decision.committed, games: new Map() } };
    },
  }),
];
