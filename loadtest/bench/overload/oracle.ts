/**
 * What the answers that players got prove about the queue, from numbers and times alone: nothing here is asked of
 * the core. All players of the benchmark are of one class and alone, and poll when told, so that all are present.
 */
import { percentile } from "../benchmark.ts";
import type { Attempt, Told } from "./attempt.ts";

/** Near the front the wait is over before it is known well. */
const ETA_POSITION_MIN = 100;

export interface EtaErrors {
  readonly samples: number;
  readonly medianPct: number;
  readonly p90Pct: number;
}

interface Moment {
  readonly atMs: number;
  readonly number: number;
  readonly called: boolean;
}

/**
 * Players who were told that they wait when they asked after somebody with a higher number had been told to come
 * already. Each counts once.
 */
export function inversions(attempts: readonly Attempt[]): number {
  const moments: Moment[] = [];
  const overtaken = new Set<number>();
  for (const attempt of attempts) {
    const { number } = attempt;
    const calledAtMs = attempt.told.find(({ called }) => called)?.atMs ?? attempt.admittedAtMs;
    if (calledAtMs !== undefined) moments.push({ atMs: calledAtMs, number, called: true });
    for (const { askedAtMs, called } of attempt.told) {
      // A place that was called and not taken in time waits again; its turn had come.
      if (called) break;
      moments.push({ atMs: askedAtMs, number, called: false });
    }
  }
  moments.sort((a, b) => a.atMs - b.atMs);
  let highestCalled = 0;
  for (const { number, called } of moments) {
    if (called) highestCalled = Math.max(highestCalled, number);
    else if (number < highestCalled) overtaken.add(number);
  }
  return overtaken.size;
}

/** Of each answer that named a wait to somebody far back whose turn came in the run. */
export function etaErrors(attempts: readonly Attempt[]): EtaErrors {
  const errorsPct: number[] = [];
  for (const { told } of attempts) {
    const calledAtMs = told.find(({ called }) => called)?.atMs;
    if (calledAtMs === undefined) continue;
    for (const one of told) {
      const etaMs = expected(one);
      if (etaMs === undefined || one.atMs >= calledAtMs) continue;
      const tookMs = calledAtMs - one.atMs;
      errorsPct.push((Math.abs(etaMs - tookMs) / tookMs) * 100);
    }
  }
  return {
    samples: errorsPct.length,
    medianPct: percentile(errorsPct, 50),
    p90Pct: percentile(errorsPct, 90),
  };
}

function expected({ called, position, etaMs }: Told): number | undefined {
  return called || position < ETA_POSITION_MIN || etaMs === null ? undefined : etaMs;
}
