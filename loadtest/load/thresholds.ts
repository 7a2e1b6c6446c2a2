/** What became of a run's thresholds, out of the summary that k6 writes at its end. */
import { readFileSync } from "node:fs";
import { z } from "zod";
import type { ThresholdResult } from "./summary.ts";

const K6Summary = z.object({
  metrics: z.record(
    z.string(),
    z.looseObject({
      /** By expression, whether it was crossed. */
      thresholds: z.record(z.string(), z.boolean()).optional(),
    }),
  ),
});

/** @returns none when k6 wrote no summary: it was killed, or never began */
export function readThresholds(summaryFile: string): ThresholdResult[] {
  let text: string;
  try {
    text = readFileSync(summaryFile, "utf8");
  } catch {
    return [];
  }
  return thresholdsOf(text);
}

/** Pure. @param text of k6's summary */
export function thresholdsOf(text: string): ThresholdResult[] {
  const { metrics } = K6Summary.parse(JSON.parse(text));
  return Object.entries(metrics)
    .flatMap(([metric, { thresholds = {} }]) =>
      Object.entries(thresholds).map(([expression, wasCrossed]) => {
        return { metric, expression, passed: !wasCrossed };
      }),
    )
    .sort((a, b) => Number(a.passed) - Number(b.passed) || (a.metric < b.metric ? -1 : 1));
}
