/** What the scaling decides from, read off the registry and the queue. Pure. */
import type { RegionId } from "../../shared/ids.ts";
import { type Headroom, shareOfLargest } from "../admission/headroom.ts";
import {
  liveNodes,
  offeredSeats,
  regionStateOf,
  seatsTaken,
  wantedOf,
} from "../regions/region-view.ts";
import type { NodeRecord, RegionRecord } from "../regions/registry-step.ts";
import type { RegionSample, Sample } from "./scaling-step.ts";

export interface SampleOptions {
  readonly regions: readonly RegionRecord[];
  readonly headroom: Headroom;
  /** Of regions whose topology names none. */
  readonly bounds: RegionSample["bounds"];
  /** Players in a region's queue. */
  readonly waitingOf: (regionId: RegionId) => number;
}

export function sampleOf({ regions, headroom, bounds, waitingOf }: SampleOptions): Sample {
  return {
    headroom: headroom === "n+1" ? shareOfLargest(regions) : headroom,
    regions: regions.map((region) => {
      const running = liveNodes(region).filter(isRunning);
      return {
        regionId: region.spec.id,
        bounds: region.spec.nodes ?? bounds,
        leftAlone: obstacleOf(region),
        running: running.length,
        seatsPerNode: seatsPerNodeOf(region, running),
        players: liveNodes(region).reduce((sum, node) => sum + seatsTaken(node), 0),
        waiting: waitingOf(region.spec.id),
      };
    }),
  };
}

/** Whether it lives, and is not being emptied. */
export function isRunning({ alive, heartbeat }: NodeRecord): boolean {
  return alive && heartbeat.state === "active";
}

function obstacleOf(region: RegionRecord): string | undefined {
  const wanted = wantedOf(region);
  if (wanted !== "active") return `it is ${wanted === "fenced" ? "fenced" : "drained"}`;
  const state = regionStateOf(region);
  if (state === "unknown" && region.unheardUntilMs !== undefined) return "it was not heard yet";
  // Whoever runs it has it restarted; fewer or more nodes mend nothing.
  return state === "down" || state === "isolated" ? `it is ${state}` : undefined;
}

/** Those that run may differ; of one without any, what was measured last. */
function seatsPerNodeOf(region: RegionRecord, running: readonly NodeRecord[]): number | undefined {
  if (running.length === 0) return region.limits?.last.seats;
  const all = running.reduce((sum, node) => sum + offeredSeats(region, node), 0);
  return all / running.length;
}
