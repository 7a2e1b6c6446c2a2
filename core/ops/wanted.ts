/** What is wanted of a region, told to its nodes. */
import { isFailure } from "../../shared/errors.ts";
import type { NodeId } from "../../shared/ids.ts";
import type { DrainRequest } from "../../shared/protocol/link.ts";
import type { NodeCalls } from "../regions/node-calls.ts";
import { liveNodes, wantedOf } from "../regions/region-view.ts";
import type { NodeRecord, RegionRecord } from "../regions/registry-step.ts";

export interface Told {
  readonly nodeId: NodeId;
  readonly told: boolean;
}

/** Draining too where the topology says so. */
export function effectOf(region: RegionRecord): DrainRequest["state"] {
  return wantedOf(region) === "active" ? "active" : "draining";
}

/** Tells each live node at once; one that can't be reached learns it from its next heartbeat's answer. */
export function tellWanted(
  region: RegionRecord,
  { calls }: { readonly calls: Pick<NodeCalls, "drain"> },
): Promise<Told[]> {
  const state = effectOf(region);
  return Promise.all(liveNodes(region).map((node) => tell(node, state, calls)));
}

/** Those whom it concerns, of what is not done. */
export function untold(region: RegionRecord): Told[] {
  return liveNodes(region).map(({ nodeId }) => ({ nodeId, told: false }));
}

async function tell(
  node: NodeRecord,
  state: DrainRequest["state"],
  calls: Pick<NodeCalls, "drain">,
): Promise<Told> {
  try {
    await calls.drain(node, { state });
    return { nodeId: node.nodeId, told: true };
  } catch (error) {
    if (!isFailure(error)) throw error;
    return { nodeId: node.nodeId, told: false };
  }
}
