/**
 * Which node keeps the copy of a room. Pure.
 *
 * A standby is kept while it may be one, because another one would need the whole room first. Else rendezvous
 * hashing decides (Thaler and Ravishankar 1998): each node gets a number from its name and the room's, and the
 * highest wins, so that a node's rooms spread evenly and the end of one standby moves its own rooms only.
 */
import { createHash } from "node:crypto";
import type { NodeId, RoomId } from "../../shared/ids.ts";
import type { NodeAddress } from "../../shared/protocol/failover.ts";

export interface StandbyQuestion {
  readonly roomId: RoomId;
  readonly current: NodeId | undefined;
  readonly nodes: readonly NodeAddress[];
  /** Those that could not be reached, or had no place, a moment ago. */
  readonly leftOut: (nodeId: NodeId) => boolean;
}

/** @returns undefined when there is none */
export function chooseStandby(question: StandbyQuestion): NodeAddress | undefined {
  const { roomId, current, nodes, leftOut } = question;
  const able = nodes.filter(({ nodeId }) => !leftOut(nodeId));
  const kept = able.find(({ nodeId }) => nodeId === current);
  if (kept) return kept;
  let best: NodeAddress | undefined;
  let bestScore = -1;
  for (const node of able) {
    const score = scoreOf(roomId, node.nodeId);
    if (score <= bestScore) continue;
    best = node;
    bestScore = score;
  }
  return best;
}

function scoreOf(roomId: RoomId, nodeId: NodeId): number {
  return createHash("sha256").update(`${roomId} ${nodeId}`).digest().readUIntBE(0, 6);
}
