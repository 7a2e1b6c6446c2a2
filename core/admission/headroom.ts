/**
 * How many seats of each region are for everyone, and how many are kept free for players whose own region is
 * lost: N+1, so that the world can lose any one region and seat its players in the others. Pure.
 *
 * With `n+1` each region keeps the same share of its seats, that of the largest region in all seats: three alike
 * keep a third each, thirty a thirtieth. A lone region keeps nothing, as nobody could come.
 */
import type { RegionId } from "../../shared/ids.ts";
import {
  freeOffered,
  isHealthy,
  liveNodes,
  offeredSeats,
  seatsTaken,
  takesPlayers,
  wantedOf,
} from "../regions/region-view.ts";
import type { RegionRecord } from "../regions/registry-step.ts";
import type { SeatReport } from "./region-queue.ts";

/** Where one region is as large as all others together, they could not hold its players anyway. */
const SHARE_MAX = 0.5;

/** A share of the seats, or as much as the loss of the largest region takes. */
export type Headroom = number | "n+1";

/**
 * Of regions that take players and were heard from.
 * @param sinceMs all of a region's nodes after then, monotonic
 */
export function seatReports(
  regions: readonly RegionRecord[],
  headroom: Headroom,
  sinceMs = Number.NEGATIVE_INFINITY,
): Map<RegionId, SeatReport> {
  const share = headroom === "n+1" ? shareOfLargest(regions) : headroom;
  const reports = new Map<RegionId, SeatReport>();
  for (const region of regions) {
    if (wantedOf(region) !== "active") continue;
    const healthy = liveNodes(region).filter(isHealthy);
    if (healthy.length === 0) continue;
    if (liveNodes(region).some(({ receivedMs }) => receivedMs <= sinceMs)) continue;
    let capacity = 0;
    let all = 0;
    for (const node of healthy) {
      capacity += offeredSeats(region, node);
      // One that is overloaded has seats, and gives none for now.
      if (takesPlayers(node)) all += freeOffered(region, node);
    }
    const limit = Math.floor(capacity * (1 - share));
    reports.set(region.spec.id, { all, limited: all - (capacity - limit), limit });
  }
  return reports;
}

/**
 * Regions and nodes that are down count: whoever was there is on the way to the others. Not so nodes that were
 * emptied before they ended.
 */
export function shareOfLargest(regions: readonly RegionRecord[]): number {
  const capacities = regions
    .filter((region) => wantedOf(region) === "active")
    .map((region) =>
      [...region.nodes.values()]
        .filter(({ alive, heartbeat }) => alive || heartbeat.state === "active")
        .reduce((sum, node) => sum + offeredSeats(region, node), 0),
    )
    .filter((capacity) => capacity > 0);
  if (capacities.length < 2) return 0;
  const total = capacities.reduce((sum, capacity) => sum + capacity, 0);
  return Math.min(SHARE_MAX, Math.max(...capacities) / total);
}

/** Seats that are taken in all of these. */
export function takenSeats(regions: readonly RegionRecord[]): number {
  return regions.flatMap(liveNodes).reduce((sum, node) => sum + seatsTaken(node), 0);
}
