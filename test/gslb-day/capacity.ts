/**
 * How many seats each region has, as an operator would plan them who looks at the day before, as if everybody had
 * been in the region with the shortest way: 1.3 times as many as were online there at once at most.
 *
 * It is evening somewhere at any time: these peaks sum up to 1.8 times what is online in the whole world at once.
 * With 1.3 times the latter in all (`"world"`, shared out by the same peaks) a region has seats for seven in ten
 * of its own evening's players, and the others have to cross an ocean, whatever the ranking does.
 */
import { onlineCurves, type Sessions } from "./sessions.ts";
import type { Ways } from "./ways.ts";

const HEADROOM = 1.3;
const PERIOD_S = 300;

/** What the headroom is on: each region's own peak, or the world's. */
export type SeatsBy = "regions" | "world";

export interface Plan {
  readonly capacities: readonly number[];
  /** Most players online at once, in the whole world. */
  readonly peak: number;
  /** When each region's own peak is, in seconds of the day. */
  readonly peakAtS: readonly number[];
}

export interface PlanOptions {
  readonly regions: number;
  /** How long the day is that is looked at, from 0. */
  readonly dayS: number;
  readonly seats: SeatsBy;
}

export function isSeatsBy(text: string): text is SeatsBy {
  return text === "regions" || text === "world";
}

export function planCapacity(sessions: Sessions, ways: Ways, options: PlanOptions): Plan {
  const { regions, dayS, seats } = options;
  const curves = onlineCurves(sessions, {
    groups: regions,
    groupOf: (player) => ways.bestUsual(player),
    periodS: PERIOD_S,
    untilS: dayS,
  });
  const peaks = curves.map(highest);
  const world = new Int32Array(Math.ceil(dayS / PERIOD_S));
  for (const curve of curves) {
    for (const [period, online] of curve.entries()) world[period] = (world[period] ?? 0) + online;
  }
  const peak = highest(world);
  const share = seats === "world" ? peak / peaks.reduce((a, b) => a + b, 0) : 1;
  return {
    capacities: peaks.map((own) => Math.max(1, Math.floor(HEADROOM * own * share))),
    peak,
    peakAtS: curves.map((curve, region) => curve.indexOf(peaks[region] ?? 0) * PERIOD_S),
  };
}

function highest(curve: Int32Array): number {
  return curve.reduce((a, b) => Math.max(a, b), 0);
}
