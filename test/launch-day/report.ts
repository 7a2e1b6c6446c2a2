/** What a launch day came to, and whether that is good enough. */
import { rounded } from "../../loadtest/bench/benchmark.ts";
import type { LaunchWorld } from "./launch-world.ts";
import type { Spread } from "./spreads.ts";

export const GOALS = {
  etaErrorMedianPct: 10,
  etaErrorP90Pct: 25,
  /** With fewer, what players do is too much of a gamble for an estimate. */
  etaPlayersMin: 100_000,
  utilisation: 0.9,
  heldMaxMs: 95_000,
} as const;

export interface LaunchReport {
  readonly seed: number;
  readonly players: number;
  readonly seats: number;
  readonly waitsS: Readonly<Record<string, Waits>>;
  readonly etaErrorPct: EtaError;
  readonly etaErrorUndisturbedPct: EtaError;
  /** Of these, told an hour after the opening or later. */
  readonly etaErrorSettledPct: EtaError;
  /** Share of waits that were within the bounds. */
  readonly etaWithinBounds: number;
  /** Share of the seats for everyone that is taken while many wait. */
  readonly utilisation: number;
  readonly heldS: { readonly median: number; readonly max: number };
  readonly passedSeatsMax: number;
  /** Of the seats that others may get while a class waits. */
  readonly starvedMax: number;
  /** Of what one class may be ahead of another by weight, while both wait. */
  readonly unfairMax: number;
  readonly counts: Readonly<Record<string, number>>;
  /** What is not as good as it has to be. */
  readonly missed: readonly string[];
}

interface Waits {
  readonly count: number;
  readonly median: number;
  readonly p90: number;
  readonly max: number;
}

interface EtaError {
  readonly count: number;
  readonly median: number;
  readonly p90: number;
}

interface Result {
  readonly seed: number;
  readonly players: number;
  readonly seats: number;
  readonly world: LaunchWorld;
}

export function reportOf({ seed, players, seats, world }: Result): LaunchReport {
  const { books, watch } = world;
  const { found } = watch.lines;
  const { waitsMs, etaErrorPct, etaErrorUndisturbedPct, etaWithinBounds, utilisation } = books;
  const { heldMs, ...rest } = books;
  const counts: Record<string, number> = {
    inversions: found.inversions,
    passedTooOften: found.passedTooOften,
  };
  for (const [name, value] of Object.entries(rest)) {
    if (typeof value === "number" && name !== "etaWithinBounds") counts[name] = value;
  }
  const used = utilisation.reduce((a, b) => a + b, 0) / utilisation.length;
  const report: Omit<LaunchReport, "missed"> = {
    ...{ seed, players, seats, counts },
    waitsS: Object.fromEntries([...waitsMs].map(([name, spread]) => [name, waitsOf(spread)])),
    etaErrorPct: errorOf(etaErrorPct),
    etaErrorUndisturbedPct: errorOf(etaErrorUndisturbedPct),
    etaErrorSettledPct: errorOf(books.etaErrorSettledPct),
    etaWithinBounds: rounded(etaWithinBounds / etaErrorPct.count),
    utilisation: rounded(used),
    heldS: { median: rounded(heldMs.at(50) / 1_000), max: rounded(heldMs.max / 1_000) },
    passedSeatsMax: found.passedSeatsMax,
    starvedMax: rounded(found.starvedMax),
    unfairMax: rounded(found.unfairMax),
  };
  return { ...report, missed: missedBy(report) };
}

/** Each of these has to be 0. */
const NEVER: Readonly<Record<string, string>> = {
  inversions: "inversions",
  passedTooOften: "a party passed too often",
  calledThenRefused: "called, and then no seat",
  calledAbsent: "the absent called",
  inTwice: "let in twice",
  tooFast: "joins too fast",
  overActive: "too many active",
  partiesApart: "parties apart",
  numbersChanged: "another number",
  outOfTurnNumbers: "numbers out of turn",
  placesLostWithinGrace: "places lost within the grace",
  leaked: "leaked",
  waitForEver: "somebody waits for ever",
};

function missedBy(report: Omit<LaunchReport, "missed">): string[] {
  const { counts, starvedMax, unfairMax, heldS, utilisation, etaErrorSettledPct, players } = report;
  const missed = Object.entries(NEVER)
    .filter(([name]) => counts[name] !== 0)
    .map(([, words]) => words);
  // Not "above": a NaN misses as well.
  if (!(starvedMax <= 1)) missed.push("a class starves");
  // Who is there is known to the records a moment later than to the queue: a turn more or less.
  if (!(unfairMax <= 2)) missed.push("not by weight");
  if (!(heldS.max * 1_000 <= GOALS.heldMaxMs)) missed.push("seats held too long");
  if (!(utilisation >= GOALS.utilisation)) missed.push("seats empty while many wait");
  if (players < GOALS.etaPlayersMin) return missed;
  if (!(etaErrorSettledPct.median <= GOALS.etaErrorMedianPct)) missed.push("ETA, median");
  if (!(etaErrorSettledPct.p90 <= GOALS.etaErrorP90Pct)) missed.push("ETA, p90");
  return missed;
}

function waitsOf(spread: Spread): Waits {
  const at = (percent: number) => Math.round(spread.at(percent) / 1_000);
  const max = Math.round(spread.max / 1_000);
  return { count: spread.count, median: at(50), p90: at(90), max };
}

function errorOf(spread: Spread): EtaError {
  return { count: spread.count, median: rounded(spread.at(50)), p90: rounded(spread.at(90)) };
}
