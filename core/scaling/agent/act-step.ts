/**
 * What is to be done next so that a region has the nodes that it should: one thing at a time. Pure.
 *
 * It needs no memory of its own: what is under way is seen in the nodes and in the core's evacuations. So an agent
 * that starts anew goes on where the former one stopped. A node leaves in three steps: it is evacuated, which keeps
 * new players out and moves its rooms with those in them; what could not be moved ends there by itself; then the node
 * goes. The last one never does.
 */
import type { NodeId } from "../../../shared/ids.ts";
import type { EvacuationStatus } from "../../../shared/protocol/ops-failover.ts";
import type { RegionScalingStatus, ScaledNode } from "../../../shared/protocol/ops-scaling.ts";

export type Act =
  | { readonly type: "none" }
  /** Has it have so many nodes. */
  | { readonly type: "add"; readonly nodes: number }
  | { readonly type: "evacuate"; readonly node: ScaledNode }
  /** More are wanted again: the node that is being emptied stays. */
  | { readonly type: "keep"; readonly nodeId: NodeId }
  | { readonly type: "remove"; readonly node: ScaledNode; readonly nodes: number }
  | { readonly type: "wait"; readonly why: string };

/**
 * @param evacuation the last one of that region
 * @param leaving the node that goes first, where the place has a say in that
 */
export function actOf(
  region: RegionScalingStatus,
  evacuation: EvacuationStatus | undefined,
  leaving?: NodeId,
): Act {
  const { reason, wanted } = region;
  if (reason === "left_alone") return { type: "none" };
  const serving = region.nodes.filter(({ draining }) => !draining);
  const emptied = nodeBeingEmptied(region, evacuation);
  if (emptied) return actOfEmptied(region, emptied, serving.length);
  if (wanted > serving.length) return { type: "add", nodes: wanted };
  if (wanted === serving.length || serving.length < 2) return { type: "none" };
  const node = serving.find(({ nodeId }) => nodeId === leaving) ?? emptiest(serving);
  if (evacuation?.phase === "running" || evacuation?.phase === "paused") {
    return { type: "wait", why: "another evacuation of the region is under way" };
  }
  return node ? { type: "evacuate", node } : { type: "none" };
}

interface Emptied {
  readonly node: ScaledNode;
  readonly phase: EvacuationStatus["phase"];
}

function nodeBeingEmptied(
  { nodes }: RegionScalingStatus,
  evacuation: EvacuationStatus | undefined,
): Emptied | undefined {
  if (!evacuation || evacuation.phase === "stopped") return undefined;
  const node = nodes.find(({ nodeId }) => nodeId === evacuation.nodeId);
  return node && { node, phase: evacuation.phase };
}

function actOfEmptied(
  { wanted }: RegionScalingStatus,
  { node, phase }: Emptied,
  serving: number,
): Act {
  const { nodeId, taken, rooms } = node;
  if (phase !== "done") {
    if (wanted > serving) return { type: "keep", nodeId };
    return { type: "wait", why: `${nodeId} is being emptied: ${taken} players in ${rooms} rooms` };
  }
  // The core has not heard yet that it drains, or it is the last one that takes players.
  if (!node.draining || serving === 0) return { type: "wait", why: `${nodeId} is to drain` };
  if (taken === 0 && rooms === 0) return { type: "remove", node, nodes: serving };
  if (wanted > serving) return { type: "add", nodes: wanted + 1 };
  return { type: "wait", why: `${nodeId} has ${taken} players in ${rooms} rooms that end there` };
}

/** Of the same players the one with fewer rooms, then the newest. */
function emptiest(nodes: readonly ScaledNode[]): ScaledNode | undefined {
  return nodes.toSorted(
    (a, b) => a.taken - b.taken || a.rooms - b.rooms || (a.nodeId < b.nodeId ? 1 : -1),
  )[0];
}
