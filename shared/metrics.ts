/** The metrics of one process, for Prometheus; names start with `meridian_`, units come last. */
import { collectDefaultMetrics, Registry } from "prom-client";

export { Counter, Gauge, Histogram } from "prom-client";
export type Metrics = Registry;

/** A registry of its own, so that two parts in one test process don't share counters. */
export function createMetrics(labels: Record<string, string>): Metrics {
  const metrics = new Registry();
  metrics.setDefaultLabels(labels);
  collectDefaultMetrics({ register: metrics });
  return metrics;
}
