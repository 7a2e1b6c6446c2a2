/**
 * Which region is measured next, and what is known of the way to each. Pure.
 *
 * Of those that are due the one whose turn is longest ago is next; so each has its turn. One that does not
 * answer rests, twice as long after each failure, up to `REST_MAX_MS`: a region that is cut off costs its
 * neighbours next to nothing. After `FAILURES_MAX` in a row what was measured counts no longer.
 */
import type { RegionId } from "../../shared/ids.ts";
import type { PeerRoundTrips, Peers } from "../../shared/protocol/link.ts";

export const FAILURES_MAX = 3;
export const REST_MS = 5_000;
export const REST_MAX_MS = 60_000;
/** Of each peer; the lower median of them is what is told. */
export const SAMPLES_MAX = 5;

export interface ProbedPeer {
  readonly regionId: RegionId;
  readonly linkAddress: string;
  /** The newest last. */
  readonly samplesMs: readonly number[];
  /** In a row. */
  readonly failures: number;
  /** Monotonic; before any time when it had none. */
  readonly lastTurnMs: number;
  readonly restsUntilMs: number;
}

/** In the order of their first turns. */
export type ProbeState = ReadonlyMap<RegionId, ProbedPeer>;

/**
 * What is known of those that stay is kept; one that is at another address is due at once. The order begins
 * behind `self`, so that not all regions begin with the same one.
 */
export function followPeers(
  state: ProbeState,
  peers: Peers["regions"],
  self: RegionId,
): ProbeState {
  const sorted = peers.toSorted((a, b) => (a.regionId < b.regionId ? -1 : 1));
  const behind = sorted.filter(({ regionId }) => regionId > self);
  const before = sorted.filter(({ regionId }) => regionId < self);
  return new Map(
    [...behind, ...before].map(({ regionId, linkAddress }) => {
      const known = state.get(regionId) ?? unmeasured(regionId, linkAddress);
      if (known.linkAddress === linkAddress) return [regionId, known];
      return [regionId, { ...known, linkAddress, failures: 0, restsUntilMs: 0 }];
    }),
  );
}

/** @param nowMs monotonic */
export function nextPeer(state: ProbeState, nowMs: number): ProbedPeer | undefined {
  return [...state.values()]
    .filter(({ restsUntilMs }) => restsUntilMs <= nowMs)
    .toSorted((a, b) => a.lastTurnMs - b.lastTurnMs)[0];
}

/** @param nowMs monotonic */
export function peerAnswered(
  state: ProbeState,
  regionId: RegionId,
  roundTripMs: number,
  nowMs: number,
): ProbeState {
  const peer = state.get(regionId);
  if (!peer) return state;
  const samplesMs = [...peer.samplesMs, roundTripMs].slice(-SAMPLES_MAX);
  const answered = { ...peer, samplesMs, failures: 0, lastTurnMs: nowMs, restsUntilMs: 0 };
  return new Map(state).set(regionId, answered);
}

/** @param nowMs monotonic */
export function peerFailed(state: ProbeState, regionId: RegionId, nowMs: number): ProbeState {
  const peer = state.get(regionId);
  if (!peer) return state;
  const failures = peer.failures + 1;
  const restMs = Math.min(REST_MAX_MS, REST_MS * 2 ** (failures - 1));
  return new Map(state).set(regionId, {
    ...peer,
    samplesMs: failures >= FAILURES_MAX ? [] : peer.samplesMs,
    failures,
    lastTurnMs: nowMs,
    restsUntilMs: nowMs + restMs,
  });
}

/** All, the nearest first and those that did not answer last. */
export function nearestFirst(state: ProbeState): ProbedPeer[] {
  const trips = roundTripsMs(state);
  const distance = ({ regionId }: ProbedPeer) => trips[regionId] ?? Number.MAX_SAFE_INTEGER;
  return [...state.values()].toSorted(
    (a, b) => a.failures - b.failures || distance(a) - distance(b),
  );
}

/** To those that answer; tenths of a millisecond say enough. */
export function roundTripsMs(state: ProbeState): PeerRoundTrips {
  const trips: PeerRoundTrips = {};
  for (const { regionId, samplesMs } of state.values()) {
    const median = samplesMs.toSorted((a, b) => a - b)[Math.floor((samplesMs.length - 1) / 2)];
    if (median !== undefined) trips[regionId] = Math.round(median * 10) / 10;
  }
  return trips;
}

function unmeasured(regionId: RegionId, linkAddress: string): ProbedPeer {
  const never = Number.NEGATIVE_INFINITY;
  const none = { samplesMs: [], failures: 0, restsUntilMs: 0, lastTurnMs: never };
  return { regionId, linkAddress, ...none };
}
