/**
 * Ranks the regions for one player, and says why. Pure.
 *
 * A region is eligible when it takes players: active, heard from, with a node that runs the game, is
 * healthy and has free seats. Eligible ones come first, by score:
 *
 *     score = round trip + load penalty / weight          (ms, lower is better)
 *
 * The round trip is the client's own measurement, or else estimated from the distance. The penalty
 * grows with the square of fullness, so that an almost empty region and a half full one hardly differ
 * and the last seats are given reluctantly, and with the utilisation of the busiest event loop (its
 * delay within one heartbeat is mostly noise).
 *
 * Scores in the same step of `FELT_MS` count as the same, and the nearer region wins: nobody feels the
 * difference, and friends who measured a little differently must not be scattered over regions.
 */
import { compareEpochs, EPOCH_NONE } from "../../shared/epoch.ts";
import type { GameName, RegionId } from "../../shared/ids.ts";
import type { RankedRegion, RoundTrips } from "../../shared/protocol/join.ts";
import {
  freeSeats,
  liveNodes,
  regionStateOf,
  runsGame,
  takesPlayers,
} from "../regions/region-view.ts";
import type { NodeRecord, RegionRecord } from "../regions/registry-step.ts";
import type { Place } from "./geo-locator.ts";
import { distanceKm, roundTripOverMs } from "./great-circle.ts";

/** What the last seat of a region costs more than its first, in ms of latency. */
const FULLNESS_PENALTY_MS = 40;
/** What an event loop without an idle moment costs; one that is idle for half of the time is free. */
const BUSY_PENALTY_MS = 100;
const FREE_UTILISATION = 0.5;
/** About one frame on a screen. */
const FELT_MS = 20;

export interface RankingInput {
  readonly regions: readonly RegionRecord[];
  readonly place: Place;
  readonly roundTripsMs?: RoundTrips | undefined;
  /** Without one, what the regions run does not matter. */
  readonly game?: GameName | undefined;
  /** The only region the player wants. */
  readonly only?: RegionId | undefined;
}

/** All regions, the best first; those that can't take the player come last. */
export function rankRegions(input: RankingInput): RankedRegion[] {
  return input.regions
    .map((region) => ({ ranked: rankOne(region, input), km: distanceKm(input.place, region.spec) }))
    .sort(compareCandidates)
    .map(({ ranked }) => ranked);
}

/** Whether any live node of any region runs that game. */
export function isGameKnown(regions: readonly RegionRecord[], game: GameName): boolean {
  return regions.some((region) => liveNodes(region).some((node) => runsGame(node, game)));
}

function rankOne(region: RegionRecord, input: RankingInput): RankedRegion {
  const { roundTripMs, reason } = roundTripTo(region, input);
  const regionId = region.spec.id;
  const obstacle = obstacleOf(region, input);
  if (obstacle !== undefined) {
    return {
      regionId,
      eligible: false,
      roundTripMs: tenths(roundTripMs),
      score: null,
      reasons: [obstacle, reason],
    };
  }
  const penalty = loadPenalty(candidates(region, input.game));
  const weighted = penalty.ms / region.spec.weight;
  const weight = region.spec.weight === 1 ? "" : `, weight ${region.spec.weight}`;
  return {
    regionId,
    eligible: true,
    roundTripMs: tenths(roundTripMs),
    score: Math.round((roundTripMs + weighted) * 100) / 100,
    reasons: [reason, `${penalty.reason}${weight}: +${tenths(weighted)} ms`],
  };
}

/** Why the region can't take the player; undefined when it can. */
function obstacleOf(region: RegionRecord, input: RankingInput): string | undefined {
  const { only, game } = input;
  if (only !== undefined && region.spec.id !== only) return `the player insists on ${only}`;
  const state = regionStateOf(region);
  if (state === "fenced") return "fenced: an operator ended what ran there";
  if (state === "unknown") return "no heartbeat yet";
  if (compareEpochs(region.epoch, EPOCH_NONE) === 0) return "its registration is under way";
  if (state === "down") return "down: its heartbeats stopped";
  if (state === "draining") return "draining: it takes no new players";
  const open = liveNodes(region).filter(takesPlayers);
  if (open.length === 0) return "not healthy: its Redis does not answer";
  const running = open.filter((node) => runsGame(node, game));
  if (running.length === 0) return `it does not run ${game}`;
  if (running.every((node) => freeSeats(node) === 0)) return "full";
  return undefined;
}

function candidates(region: RegionRecord, game: GameName | undefined): NodeRecord[] {
  return liveNodes(region).filter((node) => takesPlayers(node) && runsGame(node, game));
}

function roundTripTo(region: RegionRecord, { place, roundTripsMs }: RankingInput) {
  const measured = roundTripsMs?.[region.spec.id];
  if (measured !== undefined) {
    return { roundTripMs: measured, reason: `${tenths(measured)} ms measured by the client` };
  }
  const km = distanceKm(place, region.spec);
  const roundTripMs = roundTripOverMs(km);
  const from = place.source === "default" ? `${place.label}, by default` : place.label;
  return {
    roundTripMs,
    reason: `${tenths(roundTripMs)} ms over ${Math.round(km)} km from ${from}`,
  };
}

function loadPenalty(nodes: readonly NodeRecord[]): { ms: number; reason: string } {
  let capacity = 0;
  let free = 0;
  let utilisation = 0;
  for (const node of nodes) {
    capacity += node.heartbeat.capacity;
    free += freeSeats(node);
    utilisation = Math.max(utilisation, node.heartbeat.load.eventLoopUtilisation);
  }
  const fullness = capacity === 0 ? 1 : 1 - free / capacity;
  const busy = Math.max(0, utilisation - FREE_UTILISATION) / (1 - FREE_UTILISATION);
  const percent = (share: number) => `${Math.round(share * 100)}%`;
  return {
    ms: FULLNESS_PENALTY_MS * fullness ** 2 + BUSY_PENALTY_MS * busy ** 2,
    reason: `${percent(fullness)} full, event loop ${percent(utilisation)} busy`,
  };
}

interface Candidate {
  readonly ranked: RankedRegion;
  readonly km: number;
}

/** Eligible before not, then by what is felt, then by distance, then by name: a total order. */
function compareCandidates(a: Candidate, b: Candidate): number {
  if (a.ranked.eligible !== b.ranked.eligible) return a.ranked.eligible ? -1 : 1;
  return (
    feltStep(a.ranked) - feltStep(b.ranked) ||
    a.km - b.km ||
    (a.ranked.regionId < b.ranked.regionId ? -1 : 1)
  );
}

function feltStep({ score, roundTripMs }: RankedRegion): number {
  return Math.floor((score ?? roundTripMs ?? 0) / FELT_MS);
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}
