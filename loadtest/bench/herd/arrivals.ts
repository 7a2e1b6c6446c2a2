/** How a crowd's arrivals spread over time. Pure. */
import { percentile } from "../benchmark.ts";

export const BUCKET_MS = 100;
/** The last hundredth would stretch the time over which the mean is taken. */
const COUNTED_PERCENT = 99;

/**
 * The fullest bucket of 100 ms against the mean of all, from the first arrival until 99% have come; NaN of none.
 * @param timesMs of arrivals, in any order
 */
export function bucketMaxOverMean(timesMs: readonly number[]): number {
  if (timesMs.length === 0) return Number.NaN;
  const fromMs = Math.min(...timesMs);
  const untilMs = percentile(timesMs, COUNTED_PERCENT);
  const counts = new Array<number>(Math.floor((untilMs - fromMs) / BUCKET_MS) + 1).fill(0);
  for (const timeMs of timesMs) {
    const bucket = Math.floor((timeMs - fromMs) / BUCKET_MS);
    const count = counts[bucket];
    if (count !== undefined) counts[bucket] = count + 1;
  }
  const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return Math.max(...counts) / mean;
}
