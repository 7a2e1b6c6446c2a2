/** The ranking in words: what each estimate is from, what was added and taken off, and why a region lost. Pure. */
import type { RegionId } from "../../shared/ids.ts";
import type { RankedRegion } from "../../shared/protocol/join.ts";
import type { Place } from "./geo-locator.ts";
import type { Ranked } from "./ranking.ts";

/** Scores nearer than that, ms, are shown as equal. */
const EQUAL_MS = 0.05;
const WAITS = "no seat is free: players wait in its queue";

export interface Asked {
  /** Where the player is taken to be; of a party, where whoever asks is. */
  readonly place: Pick<Place, "label" | "source">;
  readonly only?: RegionId | undefined;
  readonly avoid?: readonly RegionId[] | undefined;
  /** How many players are ranked for; one by default. */
  readonly members?: number | undefined;
}

/** As clients and operators get it. */
export function explain(ranked: Ranked, asked: Asked): RankedRegion {
  const { candidate, eligible, roundTripMs, score } = ranked;
  const way = wayReason(ranked, asked);
  return {
    regionId: candidate.regionId,
    eligible,
    roundTripMs: tenths(roundTripMs),
    score: eligible ? roundedScore(score) : null,
    reasons: eligible
      ? [...(candidate.full ? [WAITS] : []), way, loadReason(ranked), ...bonusReasons(ranked)]
      : [obstacleReason(ranked, asked), way],
  };
}

/** Why the region is not the first choice, or is; one line. */
export function verdict(ranked: Ranked, winner: Ranked | undefined, asked: Asked): string {
  if (!ranked.eligible) return obstacleReason(ranked, asked);
  if (winner === undefined || ranked === winner) {
    return ranked.candidate.full ? `the best to wait in: ${WAITS}` : "the best";
  }
  const name = winner.candidate.regionId;
  const behindMs = ranked.score - winner.score;
  if (behindMs < EQUAL_MS) {
    return ranked.km > winner.km
      ? `nobody feels the difference to ${name}, which is ${Math.round(ranked.km - winner.km)} km nearer`
      : `equal to ${name}, which comes first by name`;
  }
  const parts = [
    part(ranked.latencyMs - winner.latencyMs, "latency"),
    part(ranked.loadMs - winner.loadMs, "load"),
    part(winner.homeMs - ranked.homeMs, `${name} being the last region`, "being the last region"),
    part(winner.friendsMs - ranked.friendsMs, `friends in ${name}`, "friends here"),
  ].flatMap((text) => text ?? []);
  return `${tenths(behindMs)} ms behind ${name}: ${parts.join(", ")}`;
}

function wayReason({ basis, roundTripMs, km }: Ranked, { place, members = 1 }: Asked): string {
  const whose = members > 1 ? ", the worst placed of the party" : "";
  const ms = `${tenths(roundTripMs)} ms`;
  if (basis === "measured") return `${ms} measured by the client${whose}`;
  if (members > 1) return `${ms} over ${Math.round(km)} km${whose}`;
  const from = place.source === "default" ? `${place.label}, by default` : place.label;
  const way = `${ms} over ${Math.round(km)} km from ${from}`;
  return basis === "unanswered" ? `${way}, and it did not answer the client` : way;
}

function loadReason({ candidate, loadMs }: Ranked): string {
  const { fullness, utilisation, weight } = candidate;
  const weighted = weight === 1 ? "" : `, weight ${weight}`;
  return `${percent(fullness)} full, event loop ${percent(utilisation)} busy${weighted}: +${tenths(loadMs)} ms`;
}

function bonusReasons({ homeMs, friendsMs }: Ranked): string[] {
  const reasons: string[] = [];
  if (homeMs > 0) reasons.push(`the player's last region: −${tenths(homeMs)} ms`);
  if (friendsMs > 0) reasons.push(`friends are there: −${tenths(friendsMs)} ms`);
  return reasons;
}

function obstacleReason({ candidate }: Ranked, { only, avoid }: Asked): string {
  if (avoid?.includes(candidate.regionId)) return "the player can't reach it";
  if (only !== undefined && candidate.regionId !== only) return `the player insists on ${only}`;
  return candidate.obstacle ?? "further than a member of the party has to bear";
}

/** A difference in words, the second ones for one that speaks for this region; undefined for none. */
function part(ms: number, against: string, inFavour = against): string | undefined {
  if (Math.abs(ms) < EQUAL_MS) return undefined;
  return ms > 0 ? `+${tenths(ms)} ms ${against}` : `−${tenths(-ms)} ms ${inFavour}`;
}

function percent(share: number): string {
  return `${Math.round(share * 100)}%`;
}

export function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}

export function roundedScore(score: number): number {
  return Math.round(score * 100) / 100;
}
