/**
 * What a simulated world runs on: production's own steps, and the rules that production's effects keep.
 * A planted bug is a record that differs from `PRODUCTION` in one of them.
 */
import { applyBatch } from "../../core/sync/applier-step.ts";
import { decideLoad } from "../../core/sync/ownership-step.ts";
import { producerStep, takenOverProducer } from "../../region/outbox/producer-step.ts";
import { handOffStep } from "../../region/players/hand-off-step.ts";
import { decide } from "../../shared/value/value-step.ts";

export interface Rules {
  /** A batch and its producer's checkpoint are one transaction. */
  readonly checkpointWithBatch: boolean;
  /** Whoever decides on a row keeps it locked until the commit. */
  readonly batchesLock: boolean;
  readonly loadsLock: boolean;
  readonly valueLocks: boolean;
  /** A batch is answered after its commit. */
  readonly answersAfterCommit: boolean;
  /** Who is told of a grant, an operation or a claim can rely on it through a promotion. */
  readonly loadsWaitForFlush: boolean;
  readonly valueWaitsForFlush: boolean;
  readonly claimsWaitForFlush: boolean;
  /** Before a rewound core serves. */
  readonly termRises: boolean;
  /** The core's `flushedSeq` is what was flushed. */
  readonly flushedIsFlushed: boolean;
  /** A value operation is refused from whoever does not own the room. */
  readonly valueChecksOwner: boolean;
  /** An operation that was decided before is not decided again. */
  readonly valueOnce: boolean;
  /** An operation that got no answer is sent again under the same id. */
  readonly valueKeepsId: boolean;
  /** The marker goes into the outbox behind what a room writes while its player leaves. */
  readonly markerLast: boolean;
  /** Nothing is changed in the copy of a player who was released. */
  readonly releaseEndsCopy: boolean;
  /** Redis refuses an entry that is not the next one. */
  readonly appendChecksSeq: boolean;
  /** A node's players are free only when the last of its streams was sent. */
  readonly drainsAllStreams: boolean;
}

export interface Parts {
  readonly producerStep: typeof producerStep;
  readonly takenOverProducer: typeof takenOverProducer;
  readonly applyBatch: typeof applyBatch;
  readonly decideLoad: typeof decideLoad;
  readonly decide: typeof decide;
  readonly handOffStep: typeof handOffStep;
  readonly rules: Rules;
}

export const PRODUCTION: Parts = {
  producerStep,
  takenOverProducer,
  applyBatch,
  decideLoad,
  decide,
  handOffStep,
  rules: {
    checkpointWithBatch: true,
    batchesLock: true,
    loadsLock: true,
    valueLocks: true,
    answersAfterCommit: true,
    loadsWaitForFlush: true,
    valueWaitsForFlush: true,
    claimsWaitForFlush: true,
    termRises: true,
    flushedIsFlushed: true,
    valueChecksOwner: true,
    valueOnce: true,
    valueKeepsId: true,
    markerLast: true,
    releaseEndsCopy: true,
    appendChecksSeq: true,
    drainsAllStreams: true,
  },
};
