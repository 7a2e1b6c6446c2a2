/**
 * When everybody plays: one to six sessions a day (2.4 on average) by the sun's local time, of 25 minutes in
 * the median, log-normal. In the order in which they begin.
 */
import type { Chance } from "../../shared/chance.testkit.ts";
import { logNormal } from "./draws.ts";
import type { Players } from "./players.ts";

export const DAY_S = 86_400;
const HOUR_S = 3_600;
/** How many begin in each local hour: least at five, most at nine in the evening. */
const BY_HOUR = [
  40, 25, 15, 10, 7, 6, 9, 15, 22, 28, 33, 38, 44, 46, 45, 48, 56, 66, 78, 90, 98, 100, 86, 62,
];
/** Of 100 players, how many play once, twice, … a day. */
const BY_SESSIONS = [30, 30, 20, 10, 6, 4];
const LENGTH_MEDIAN_S = 1_500;
const LENGTH_SIGMA = 0.9;
const LENGTH_MIN_S = 60;
const LENGTH_MAX_S = 6 * HOUR_S;
/** Nobody comes back sooner. */
const PAUSE_S = 180;

export interface Sessions {
  readonly count: number;
  readonly player: Uint32Array;
  readonly beginS: Uint32Array;
  readonly endS: Uint32Array;
}

/** Those that begin within so many days; each UTC day has one local day of everybody. */
export function drawSessions(players: Players, days: number, chance: Chance): Sessions {
  const player: number[] = [];
  const beginS: number[] = [];
  const endS: number[] = [];
  for (const [who, { longitude }] of players.truth.entries()) {
    const aheadS = Math.round((longitude / 360) * DAY_S);
    let freeS = 0;
    for (let day = 0; day < days; day += 1) {
      const times = Array.from({ length: 1 + drawIndex(BY_SESSIONS, chance) }, () => {
        const localS = drawIndex(BY_HOUR, chance) * HOUR_S + chance.below(HOUR_S);
        return day * DAY_S + ((((localS - aheadS) % DAY_S) + DAY_S) % DAY_S);
      });
      for (const timeS of times.sort((a, b) => a - b)) {
        const drawn = Math.round(logNormal(chance, LENGTH_MEDIAN_S, LENGTH_SIGMA));
        const start = Math.max(timeS, freeS);
        const end = start + Math.max(LENGTH_MIN_S, Math.min(LENGTH_MAX_S, drawn));
        freeS = end + PAUSE_S;
        if (start >= days * DAY_S) continue;
        player.push(who);
        beginS.push(start);
        endS.push(end);
      }
    }
  }
  return inOrder({ player, beginS, endS });
}

/**
 * How many players of each group are online at the beginning of each period of `periodS`, until `untilS`.
 * @param groupOf of a player, from 0
 */
export function onlineCurves(
  sessions: Sessions,
  { groups, groupOf, periodS, untilS }: CurveOptions,
): Int32Array[] {
  const periods = Math.ceil(untilS / periodS);
  const curves = Array.from({ length: groups }, () => new Int32Array(periods));
  const change = (curve: Int32Array, timeS: number, by: number) => {
    const period = Math.ceil(timeS / periodS);
    if (period < periods) curve[period] = (curve[period] ?? 0) + by;
  };
  for (let index = 0; index < sessions.count; index += 1) {
    const curve = curves[groupOf(sessions.player[index] ?? 0)];
    if (!curve) continue;
    change(curve, sessions.beginS[index] ?? 0, 1);
    change(curve, sessions.endS[index] ?? 0, -1);
  }
  for (const curve of curves) {
    for (let at = 1; at < periods; at += 1) curve[at] = (curve[at] ?? 0) + (curve[at - 1] ?? 0);
  }
  return curves;
}

export interface CurveOptions {
  readonly groups: number;
  readonly groupOf: (player: number) => number;
  readonly periodS: number;
  readonly untilS: number;
}

/** From 0; index `n` as often as `weights[n]` says. */
function drawIndex(weights: readonly number[], chance: Chance): number {
  const sum = weights.reduce((a, b) => a + b, 0);
  let left = chance.float() * sum;
  for (const [index, weight] of weights.entries()) {
    left -= weight;
    if (left < 0) return index;
  }
  return weights.length - 1;
}

/** Sorted by counting: sessions are millions, and seconds few. */
function inOrder(drawn: Record<"player" | "beginS" | "endS", readonly number[]>): Sessions {
  const count = drawn.player.length;
  const firstOf = new Uint32Array(drawn.beginS.reduce((a, b) => Math.max(a, b), 0) + 2);
  for (const second of drawn.beginS) firstOf[second + 1] = (firstOf[second + 1] ?? 0) + 1;
  for (let at = 1; at < firstOf.length; at += 1) {
    firstOf[at] = (firstOf[at] ?? 0) + (firstOf[at - 1] ?? 0);
  }
  const player = new Uint32Array(count);
  const beginS = new Uint32Array(count);
  const endS = new Uint32Array(count);
  for (const [index, second] of drawn.beginS.entries()) {
    const at = firstOf[second] ?? 0;
    firstOf[second] = at + 1;
    player[at] = drawn.player[index] ?? 0;
    beginS[at] = second;
    endS[at] = drawn.endS[index] ?? 0;
  }
  return { count, player, beginS, endS };
}
