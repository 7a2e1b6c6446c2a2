/** How durations are spread: of a window by all its values, of a whole run by an HDR histogram. */
import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import { z } from "zod";
import { percentile } from "../bench/benchmark.ts";

/** Of durations, ms. */
export const Spread = z.object({
  count: z.number().int().nonnegative(),
  p50: z.number(),
  p95: z.number(),
  p99: z.number(),
  max: z.number(),
});
export type Spread = z.infer<typeof Spread>;

const US_PER_MS = 1_000;
/** A day: nothing that is measured here takes longer. */
const HIGHEST_US = 86_400_000_000;

/** By nearest rank; undefined of nothing. */
export function spreadOf(values: readonly number[]): Spread | undefined {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((a, b) => a - b);
  const at = (percent: number) => thousandths(percentile(sorted, percent));
  return { count: sorted.length, p50: at(50), p95: at(95), p99: at(99), max: at(100) };
}

/** Takes any number of durations in bounded memory, each to three digits. */
export class LongSpread {
  readonly #histogram: RecordableHistogram = createHistogram({
    lowest: 1,
    highest: HIGHEST_US,
    figures: 3,
  });

  /** @param ms below 0 counts as 0 */
  add(ms: number): void {
    this.#histogram.record(Math.min(HIGHEST_US, Math.max(1, Math.round(ms * US_PER_MS))));
  }

  restart(): void {
    this.#histogram.reset();
  }

  /** Undefined of nothing. */
  get spread(): Spread | undefined {
    const histogram = this.#histogram;
    if (histogram.count === 0) return undefined;
    const at = (percent: number) => histogram.percentile(percent) / US_PER_MS;
    return {
      count: histogram.count,
      p50: at(50),
      p95: at(95),
      p99: at(99),
      max: histogram.max / US_PER_MS,
    };
  }
}

function thousandths(value: number): number {
  return Math.round(value * US_PER_MS) / US_PER_MS;
}
