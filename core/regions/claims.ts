/**
 * Grants rooms to the nodes that made them. A claim id stands for one claim with its whole body: sent
 * again it gets the same answer for as long as that claim holds the room, and a refusal afterwards.
 */
import type { Epoch } from "../../shared/epoch.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { NodeId } from "../../shared/ids.ts";
import type { ClaimAnswer, ClaimRequest } from "../../shared/protocol/link.ts";
import type { Tx } from "../db/database.ts";
import { isFenced } from "../failover/fence-store.ts";
import { roomOpsAfter } from "../value/room-ops.ts";
import { mayClaim } from "./fence-step.ts";
import * as store from "./region-store.ts";

/**
 * The epoch, and the operations that the claimant does not know. It has the room's row when they are
 * read: one of a former owner was committed before or never will be, and the claimant's own come after.
 * @throws {MeridianError} `conflict`, `fenced`
 */
export async function answerClaim(
  tx: Tx,
  claim: store.RegionClaim,
  coreTerm: number,
  claimedAt: Date,
): Promise<ClaimAnswer> {
  const roomEpoch = await grantClaim(tx, claim, coreTerm, claimedAt);
  const { roomId, opSeq } = claim;
  const known = await store.raiseOpSeq(tx, roomId, opSeq ?? 0);
  const roomOps = await roomOpsAfter(tx, roomId, { after: opSeq ?? known, known });
  return { roomEpoch, roomOps };
}

/** @throws {MeridianError} `conflict`, `fenced` */
async function grantClaim(
  tx: Tx,
  claim: store.RegionClaim,
  coreTerm: number,
  claimedAt: Date,
): Promise<Epoch> {
  const before = await store.selectClaim(tx, claim.claimId);
  if (before) return answerAgain(claim, before);
  await requireLife(tx, claim);
  const granted = await store.claimRoom(tx, claim, coreTerm, claimedAt);
  if (!granted) {
    // Whoever holds the room may have come by this very claim, sent twice at once.
    const twin = await store.selectClaim(tx, claim.claimId);
    if (twin) return answerAgain(claim, twin);
    throw new MeridianError("fenced", {
      message: "The room has another owner, or has had one since.",
    });
  }
  // Its id went to another room at this moment: the room is not granted after all.
  if (!(await store.insertClaim(tx, claim))) throw new MeridianError("conflict");
  return granted;
}

/** Holds the region's row until the claim is committed: a fence waits for that, and then sees the room. */
async function requireLife(tx: Tx, claim: store.RegionClaim): Promise<void> {
  const { regionId, regionEpoch, nodeId } = claim;
  const life = await store.shareRegion(tx, regionId);
  if (!life) throw new MeridianError("unavailable", { message: "The region is not registered." });
  if (!mayClaim(regionEpoch, life)) {
    throw new MeridianError("fenced", { message: "The region was fenced." });
  }
  await requireUnfenced(tx, nodeId);
}

/** With the region's row held, so that no fence comes after. @throws {MeridianError} `fenced` */
export async function requireUnfenced(tx: Tx, nodeId: NodeId): Promise<void> {
  if (!(await isFenced(tx, nodeId))) return;
  throw new MeridianError("fenced", { message: "The node was fenced." });
}

/** The answer to a claim that was granted before. Pure. */
export function answerAgain(claim: ClaimRequest, granted: store.ClaimRow): Epoch {
  const same =
    granted.room_id === claim.roomId &&
    granted.game === claim.game &&
    granted.node_id === claim.nodeId;
  if (!same) throw new MeridianError("conflict");
  if (granted.holds) return store.epochOf(granted);
  throw new MeridianError("fenced", { message: "The room ended after this claim." });
}
