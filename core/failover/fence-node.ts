/**
 * Takes everything from one node at once, in one transaction: it is fenced, and its rooms are free for their next
 * owners.
 *
 * The region's row comes first, exclusively, as in the fence of a whole region: claims hold it shared, so none of
 * this node is under way from then on, and a later one finds it fenced. Then its rooms' rows, for which each
 * operation on money and items that is under way is waited for. Players' documents that it owned are free: what
 * it still writes of those whom nobody has loaded since counts. The region's life is over when nothing of it is
 * left; a node of it that nobody knew of then hears so with its next heartbeat.
 */
import { type Epoch, nextEpoch } from "../../shared/epoch.ts";
import type { NodeId, RegionId } from "../../shared/ids.ts";
import type { Tx } from "../db/database.ts";
import { changeLife, lockRegion } from "../regions/region-store.ts";
import { freePlayersOfNode } from "../sync/owner-store.ts";
import { type Because, insertFence, type LostRoom, releaseRoomsOf } from "./fence-store.ts";

export interface NodeFence {
  readonly nodeId: NodeId;
  readonly regionId: RegionId;
  readonly because: Because;
  /** Whether the region has no other node left. */
  readonly last: boolean;
  readonly coreTerm: number;
  readonly at: Date;
}

export interface FencedNode {
  /** False when the node was fenced before. */
  readonly changed: boolean;
  readonly regionEpoch: Epoch;
  readonly rooms: readonly LostRoom[];
}

export async function fenceNode(tx: Tx, fence: NodeFence): Promise<FencedNode> {
  const { nodeId, regionId, last, coreTerm, at } = fence;
  const life = await lockRegion(tx, regionId);
  const changed = await insertFence(tx, fence, at);
  const rooms = await releaseRoomsOf(tx, nodeId, at);
  // A node without rooms that was replaced has handed its players' documents on, or its next life does.
  if (rooms.length > 0) await freePlayersOfNode(tx, { regionId, nodeId }, at);
  if (!changed || !last) return { changed, regionEpoch: life.epoch, rooms };
  const next = { ...life, epoch: nextEpoch(life.epoch, coreTerm) };
  await changeLife(tx, regionId, life, next);
  return { changed, regionEpoch: next.epoch, rooms };
}
