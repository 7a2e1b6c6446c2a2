/** Where to ask for a seat, and whether to ask elsewhere after a refusal. Pure. */
import type { MeridianError } from "../../shared/errors.ts";
import type { JoinMode, RankedRegion } from "../../shared/protocol/join.ts";
import { chooseNode, type NodeWish } from "../regions/region-view.ts";
import type { NodeRecord, RegionRecord } from "../regions/registry-step.ts";

/** Regions that one join asks at most. */
export const REGIONS_TRIED_MAX = 3;

/** The best node of each of the best regions, in order. */
export function seatCandidates(
  ranking: readonly RankedRegion[],
  regions: readonly RegionRecord[],
  wish: NodeWish,
): NodeRecord[] {
  const byId = new Map(regions.map((region) => [region.spec.id, region]));
  const nodes: NodeRecord[] = [];
  for (const { regionId, eligible } of ranking) {
    if (!eligible || nodes.length === REGIONS_TRIED_MAX) break;
    const region = byId.get(regionId);
    const node = region && chooseNode(region, wish);
    if (node) nodes.push(node);
  }
  return nodes;
}

/** Whether another region may well give what this one refused. */
export function triesNext(failure: MeridianError, mode: JoinMode): boolean {
  if (failure.retryable || failure.kind === "unknown_game") return true;
  return mode === "join" && failure.kind === "room_not_found";
}
