/**
 * The neighbours of a region: where its players go first when it is lost. Pure.
 *
 * The topology may give them, in order. Else they are all other regions, the nearest first, by the round trip
 * that regions measured over the private links: the smaller of both directions, because whatever is in the way
 * of one probe only adds to it. Less than light needs counts as what it needs: a region that lies, or whose place
 * in the topology is wrong, must not be next to everybody, and get the players of all that are lost. Pairs that have not measured each other count by what the distance lets expect.
 */
import type { RegionId } from "../../shared/ids.ts";
import { distanceKm, roundTripAtLeastMs, roundTripOverMs } from "../gslb/great-circle.ts";
import type { RegionRecord } from "./registry-step.ts";

export interface Neighbour {
  readonly regionId: RegionId;
  readonly roundTripMs: number;
  /** False: expected by the distance. */
  readonly measured: boolean;
}

interface Candidate extends Neighbour {
  readonly km: number;
}

/** Smaller differences are noise; within a step the nearer on the map comes first. */
const STEP_MS = 5;

/**
 * @param regions all of them, itself included
 * @returns those that the topology gives, in its order; else all others, the nearest first
 */
export function neighboursOf(region: RegionRecord, regions: readonly RegionRecord[]): Neighbour[] {
  const given = region.spec.neighbours;
  if (given === undefined) {
    const others = regions.filter(({ spec }) => spec.id !== region.spec.id);
    return others
      .map((other) => candidateOf(region, other))
      .sort(compare)
      .map(neighbourOf);
  }
  return given.flatMap((id) => {
    const other = regions.find(({ spec }) => spec.id === id);
    return other ? [neighbourOf(candidateOf(region, other))] : [];
  });
}

function candidateOf(region: RegionRecord, other: RegionRecord): Candidate {
  const regionId = other.spec.id;
  const km = distanceKm(region.spec, other.spec);
  const measuredMs = Math.min(measuredBy(region, other), measuredBy(other, region));
  const measured = Number.isFinite(measuredMs);
  return { regionId, roundTripMs: measured ? measuredMs : roundTripOverMs(km), measured, km };
}

/**
 * By the node of `from` that measured least; infinite when none did. Nodes that are down count too: the way
 * between two places does not change with them, and it is asked for when a region was lost.
 */
function measuredBy(from: RegionRecord, to: RegionRecord): number {
  const trips = [...from.nodes.values()].flatMap(({ heartbeat }) => {
    return heartbeat.probes?.[to.spec.id] ?? [];
  });
  return Math.min(Number.POSITIVE_INFINITY, ...trips);
}

/** A total order. */
function compare(a: Candidate, b: Candidate): number {
  const step = ({ roundTripMs, km }: Candidate) =>
    Math.round(Math.max(roundTripMs, roundTripAtLeastMs(km)) / STEP_MS);
  return step(a) - step(b) || a.km - b.km || (a.regionId < b.regionId ? -1 : 1);
}

function neighbourOf({ regionId, roundTripMs, measured }: Candidate): Neighbour {
  return { regionId, roundTripMs: Math.round(roundTripMs * 10) / 10, measured };
}
