/**
 * What a world of failovers runs on: production's own steps, and the rules that production's effects keep. A planted
 * bug is a record that differs from `PRODUCTION` in one of them.
 */

import { assign } from "../../../core/failover/assign-step.ts";
import {
  DETECTOR_DEFAULTS,
  type DetectorThresholds,
  detectorStep,
} from "../../../core/failover/detector-step.ts";
import { mayClaim } from "../../../core/regions/fence-step.ts";
import { decideLoad } from "../../../core/sync/ownership-step.ts";
import { leaseHeld, renewLease } from "../../../region/link/lease.ts";
import { lifeAfter } from "../../../region/link/region-life.ts";
import { connectionStep } from "../../../shared/client/connection-step.ts";
import { compareEpochs, nextEpoch } from "../../../shared/epoch.ts";

export interface Rules {
  /** A node that is fenced gets no lease any more. */
  readonly refusesFencedHeartbeats: boolean;
  readonly refusesFencedClaims: boolean;
  readonly refusesFencedLoads: boolean;
  /** Fences are in the database, not in the core's memory. */
  readonly fencesAreKept: boolean;
  /** A claim is refused while the owner is neither fenced nor done with the room. */
  readonly claimsCheckOwner: boolean;
  /** A claim says whose state it goes on with, and is refused when somebody has owned the room since. */
  readonly claimsNameFormer: boolean;
  /** A claim that is sent again gets its first answer. */
  readonly claimsAreKnownAgain: boolean;
  /** An operation, or a document, is taken from the owner's epoch only. */
  readonly valueChecksEpoch: boolean;
  readonly documentsCheckEpoch: boolean;
  /** An operation is named by its cause, whichever owner asks. */
  readonly valueNamesCause: boolean;
  readonly valueOnce: boolean;
  /** A fence frees the players' documents with the rooms. */
  readonly fenceFreesPlayers: boolean;
  /** A room that is here already is not restored again. */
  readonly takeOverOnce: boolean;
  /** A node without a lease lets nobody in. */
  readonly leaseBeforeSeats: boolean;
  /** Leases are counted from the sending of a heartbeat, by a clock that nobody sets. */
  readonly leaseFromSending: boolean;
  readonly monotonicLease: boolean;
  readonly monotonicDetector: boolean;
  /** Rooms that were on their way are found again by a core that was restarted. */
  readonly movesAreResumed: boolean;
}

export interface Parts {
  readonly detectorStep: typeof detectorStep;
  readonly thresholds: DetectorThresholds;
  readonly assign: typeof assign;
  readonly mayClaim: typeof mayClaim;
  readonly decideLoad: typeof decideLoad;
  readonly leaseHeld: typeof leaseHeld;
  readonly renewLease: typeof renewLease;
  readonly lifeAfter: typeof lifeAfter;
  readonly connectionStep: typeof connectionStep;
  readonly nextRoomEpoch: typeof nextEpoch;
  readonly compareEpochs: typeof compareEpochs;
  readonly rules: Rules;
}

export const PRODUCTION: Parts = {
  detectorStep,
  thresholds: DETECTOR_DEFAULTS,
  assign,
  mayClaim,
  decideLoad,
  leaseHeld,
  renewLease,
  lifeAfter,
  connectionStep,
  nextRoomEpoch: nextEpoch,
  compareEpochs,
  rules: {
    refusesFencedHeartbeats: true,
    refusesFencedClaims: true,
    refusesFencedLoads: true,
    fencesAreKept: true,
    claimsCheckOwner: true,
    claimsNameFormer: true,
    claimsAreKnownAgain: true,
    valueChecksEpoch: true,
    documentsCheckEpoch: true,
    valueNamesCause: true,
    valueOnce: true,
    fenceFreesPlayers: true,
    takeOverOnce: true,
    leaseBeforeSeats: true,
    leaseFromSending: true,
    monotonicLease: true,
    monotonicDetector: true,
    movesAreResumed: true,
  },
};
