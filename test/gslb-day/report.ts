/** What a simulated day came to, and whether that is good enough. */
import { rounded } from "../../loadtest/bench/benchmark.ts";
import type { Plan } from "./capacity.ts";
import type { Fullness } from "./fullness.ts";
import type { Outage } from "./outages.ts";
import type { Books } from "./placing.ts";
import { specsOf } from "./sites.ts";

export const GOALS = {
  addedMedianMs: 5,
  addedP99Ms: 40,
  flapsPerPlayer: 0.1,
} as const;

export interface Report {
  readonly seed: number;
  readonly players: number;
  /** How often a player was placed, also after a loss. */
  readonly placings: number;
  readonly peak: number;
  readonly seats: number;
  readonly outages: readonly string[];
  /** A player's round trip above the shortest to a region that is up, ms. */
  readonly addedMs: Spread;
  /** Of those whose clients measure nothing. */
  readonly addedUnmeasuredMs: Spread;
  /** Of those whose region was lost. */
  readonly addedReplacedMs: Spread;
  readonly overCapacity: readonly string[];
  readonly fullestMax: number;
  /** The fullest region's share of seats taken, against the whole world's: mean and most over the day. */
  readonly imbalance: { readonly mean: number; readonly max: number };
  readonly returns: number;
  /** To another region than last time, for whatever reason. */
  readonly movesPerPlayer: number;
  readonly flapsPerPlayer: number;
  readonly refused: number;
  /** What is not as good as it has to be. */
  readonly missed: readonly string[];
}

interface Spread {
  readonly median: number;
  readonly p99: number;
  readonly count: number;
}

interface Result {
  readonly seed: number;
  readonly players: number;
  readonly plan: Plan;
  readonly outages: readonly Outage[];
  readonly books: Books;
  readonly fullness: Fullness;
}

export function reportOf({ seed, players, plan, outages, books, fullness }: Result): Report {
  const { imbalances, overCapacity, max } = fullness;
  const specs = specsOf(plan.capacities);
  const figures = {
    addedMs: spreadOf(books.addedMs),
    flapsPerPlayer: books.flaps / players,
    overCapacity: [...overCapacity],
    refused: books.refused,
  };
  return {
    seed,
    players,
    placings: books.addedMs.length,
    peak: plan.peak,
    seats: plan.capacities.reduce((a, b) => a + b, 0),
    outages: outages.map(({ region, kind, fromS, toS }) => {
      const minutes = Math.round((toS - fromS) / 60);
      return `${specs[region]?.id} ${kind} at ${clockTime(fromS)} for ${minutes} min`;
    }),
    ...figures,
    addedUnmeasuredMs: spreadOf(books.addedUnmeasuredMs),
    addedReplacedMs: spreadOf(books.addedReplacedMs),
    fullestMax: rounded(max),
    imbalance: {
      mean: rounded(imbalances.reduce((a, b) => a + b, 0) / imbalances.length),
      max: rounded(Math.max(...imbalances)),
    },
    returns: books.returns,
    movesPerPlayer: rounded(books.moves / players),
    missed: missedBy(figures),
  };
}

function missedBy(
  figures: Pick<Report, "addedMs" | "flapsPerPlayer" | "overCapacity" | "refused">,
): string[] {
  const { addedMs, flapsPerPlayer, overCapacity, refused } = figures;
  const missed: string[] = [];
  // Not "above": a NaN misses as well.
  if (!(addedMs.median <= GOALS.addedMedianMs)) missed.push("added latency, median");
  if (!(addedMs.p99 <= GOALS.addedP99Ms)) missed.push("added latency, p99");
  if (!(flapsPerPlayer <= GOALS.flapsPerPlayer)) missed.push("flaps");
  if (overCapacity.length > 0) missed.push("a region over capacity");
  if (refused > 0) missed.push("players refused while there were seats");
  return missed;
}

function spreadOf(values: readonly number[]): Spread {
  const sorted = Float64Array.from(values).sort();
  const at = (percent: number) =>
    rounded(sorted[Math.max(0, Math.ceil((sorted.length * percent) / 100) - 1)] ?? Number.NaN);
  return { median: at(50), p99: at(99), count: sorted.length };
}

function clockTime(second: number): string {
  const minutes = Math.floor((second % 86_400) / 60);
  return `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")} UTC`;
}
