/** Which regions are as good as each other to a player, and whether to ask elsewhere after a refusal. Pure. */
import type { MeridianError } from "../../shared/errors.ts";
import type { RegionId } from "../../shared/ids.ts";
import type { JoinMode } from "../../shared/protocol/join.ts";
import type { Other } from "../admission/place.ts";
import type { Choice } from "./region-finder.ts";

/** Regions that one join asks at most. */
export const REGIONS_TRIED_MAX = 3;
/** Regions that may be offered to one who waits. */
const OTHERS_MAX = 8;

/**
 * Those that a player is sent to without a question when the best one is full: at most `spillMs` further away
 * than the nearest.
 */
export function asGood(choices: readonly Choice[], spillMs: number): RegionId[] {
  const nearestMs = Math.min(...choices.map(({ roundTripMs }) => roundTripMs));
  return choices
    .filter(({ roundTripMs }) => roundTripMs <= nearestMs + spillMs)
    .map(({ regionId }) => regionId);
}

/** Those that may be offered to whoever waits for `home`, by default the first; the nearest first. */
export function othersThan(choices: readonly Choice[], home = choices[0]?.regionId): Other[] {
  const best = choices.find(({ regionId }) => regionId === home);
  if (!best) return [];
  return choices
    .filter((one) => one !== best)
    .map(({ regionId, roundTripMs }) => ({
      regionId,
      addedMs: Math.round(roundTripMs - best.roundTripMs),
    }))
    .sort((a, b) => a.addedMs - b.addedMs)
    .slice(0, OTHERS_MAX);
}

/** Whether another region may well give what this one refused. */
export function triesNext(failure: MeridianError, mode: JoinMode): boolean {
  if (failure.retryable || failure.kind === "unknown_game") return true;
  return mode === "join" && failure.kind === "room_not_found";
}
