/**
 * How many seats of a node admission may give, by what was measured. Pure.
 *
 * A limit was found by load on one build. It counts for nodes of that build, the newest measurement first; nodes of
 * a build that nobody measured get the region's last limit, and are flagged. Of each limit a share, the margin, is
 * not given: what was measured is where the service level broke, and live players are not those of a test.
 */
import type { RegionId } from "../../shared/ids.ts";

/** What a load test found, and how. */
export interface CapacityLimit {
  readonly id: number;
  readonly regionId: RegionId;
  readonly playersPerNode: number;
  readonly build: string;
  /** ms since 1970. */
  readonly measuredAtMs: number;
  readonly hardware: string;
  readonly serviceLevel: string;
  /** Where the report is; null when nobody said. */
  readonly evidence: string | null;
  /** ms since 1970. */
  readonly storedAtMs: number;
  /** The operator. */
  readonly storedBy: string;
}

/** Seats of one node of a region. */
export interface SeatLimits {
  readonly byBuild: ReadonlyMap<string, number>;
  /** Of the last measurement. */
  readonly last: { readonly build: string; readonly seats: number };
}

export interface SeatLimit {
  readonly seats: number;
  /** Whether that build was measured. */
  readonly measured: boolean;
}

/** The newest measurement first; of the same moment the one that was stored later. */
export function newestFirst(limits: readonly CapacityLimit[]): CapacityLimit[] {
  return limits.toSorted((a, b) => b.measuredAtMs - a.measuredAtMs || b.id - a.id);
}

/** @param margin share of each limit that is not given, 0 to 1 */
export function seatLimitsOf(
  limits: readonly CapacityLimit[],
  margin: number,
): ReadonlyMap<RegionId, SeatLimits> {
  const all = new Map<RegionId, SeatLimits>();
  for (const { regionId, build, playersPerNode } of newestFirst(limits)) {
    const seats = seatsWithin(playersPerNode, margin);
    const known = all.get(regionId);
    const byBuild = new Map(known?.byBuild);
    if (!byBuild.has(build)) byBuild.set(build, seats);
    all.set(regionId, { byBuild, last: known?.last ?? { build, seats } });
  }
  return all;
}

/** A region whose limit is tiny still takes somebody. */
export function seatsWithin(playersPerNode: number, margin: number): number {
  return Math.max(1, Math.floor(playersPerNode * (1 - margin)));
}

/** Undefined where nothing was ever measured. */
export function seatLimitFor(limits: SeatLimits | undefined, build: string): SeatLimit | undefined {
  if (!limits) return undefined;
  const seats = limits.byBuild.get(build);
  return seats === undefined
    ? { seats: limits.last.seats, measured: false }
    : { seats, measured: true };
}
