/**
 * Samples out of k6's JSON output, one a line. Pure.
 *
 * k6 writes every sample of every metric, its own about each websocket message included, and cannot be told to leave
 * some out: lines of metrics that the report does not use are told apart by their first bytes, and never parsed.
 */
import { z } from "zod";

export interface Sample {
  readonly metric: string;
  /** Wall time of the machine that k6 runs on. */
  readonly atMs: number;
  readonly value: number;
  readonly tags: Readonly<Record<string, string>>;
}

/** Durations, ms: percentiles are taken of them. */
export const TRENDS = [
  "login_ms",
  "join_ms",
  "input_echo_ms",
  "downtime_ms",
  "look_up_ms",
  "generator_lag_ms",
] as const;
export type Trend = (typeof TRENDS)[number];
/** What happened so often. */
export const COUNTERS = [
  "failures",
  "inputs_sent",
  "patches_seen",
  "polite_refusals",
  "dropped_iterations",
] as const;
export type Counter = (typeof COUNTERS)[number];
/** What is so much at a moment. */
export const GAUGES = ["players", "queue_length"] as const;
export type Gauge = (typeof GAUGES)[number];

const TAKEN: ReadonlySet<string> = new Set([...TRENDS, ...COUNTERS, ...GAUGES, "checks"]);
const SAMPLE_HEAD = '{"metric":"';
const DECLARATION_HEAD = '{"type":"Metric"';

const Line = z.object({
  metric: z.string(),
  data: z.object({
    time: z.string(),
    value: z.number(),
    tags: z.record(z.string(), z.string()).nullable(),
  }),
});

/** Whether a line of k6's output is a sample, or the declaration of a metric, and not words for people. */
export function isMetricLine(line: string): boolean {
  return line.startsWith(SAMPLE_HEAD) || line.startsWith(DECLARATION_HEAD);
}

/**
 * @returns undefined for a metric that is of no use here, and for a declaration
 * @throws when k6 writes a form that is not known
 */
export function readSample(line: string): Sample | undefined {
  if (!line.startsWith(SAMPLE_HEAD)) return undefined;
  const from = SAMPLE_HEAD.length;
  if (!TAKEN.has(line.slice(from, line.indexOf('"', from)))) return undefined;
  const { metric, data } = Line.parse(JSON.parse(line));
  return { metric, atMs: Date.parse(data.time), value: data.value, tags: data.tags ?? {} };
}

export function isTrend(metric: string): metric is Trend {
  return (TRENDS as readonly string[]).includes(metric);
}

export function isCounter(metric: string): metric is Counter {
  return (COUNTERS as readonly string[]).includes(metric);
}

export function isGauge(metric: string): metric is Gauge {
  return (GAUGES as readonly string[]).includes(metric);
}
