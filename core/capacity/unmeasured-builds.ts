/** Builds of live nodes that nobody measured, in regions where another build was. Pure. */
import type { RegionId } from "../../shared/ids.ts";
import { liveNodes } from "../regions/region-view.ts";
import type { RegionRecord } from "../regions/registry-step.ts";
import { seatLimitFor } from "./seat-limits.ts";

export interface UnmeasuredBuild {
  readonly regionId: RegionId;
  readonly build: string;
  readonly nodes: number;
  /** Of the limit that is used for them. */
  readonly measuredBuild: string;
}

export function unmeasuredBuilds(regions: readonly RegionRecord[]): UnmeasuredBuild[] {
  return regions.flatMap((region) => {
    const { limits, spec } = region;
    if (!limits) return [];
    const nodes = new Map<string, number>();
    for (const { heartbeat } of liveNodes(region)) {
      const { build } = heartbeat;
      if (seatLimitFor(limits, build)?.measured) continue;
      nodes.set(build, (nodes.get(build) ?? 0) + 1);
    }
    const measuredBuild = limits.last.build;
    return [...nodes].map(([build, count]) => ({
      regionId: spec.id,
      build,
      nodes: count,
      measuredBuild,
    }));
  });
}
