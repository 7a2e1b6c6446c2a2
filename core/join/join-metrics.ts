/** What Prometheus sees of joins, and a paced log line for those that no region could serve. */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { Counter, Histogram, type Metrics } from "../../shared/metrics.ts";
import { LogPace } from "../http/log-pace.ts";

/** Failures that are ours, not the player's. */
const OURS = new Set([
  "no_region",
  "region_full",
  "overloaded",
  "unavailable",
  "timeout",
  "internal",
]);

export class JoinMetrics {
  readonly #joins: Counter<"what" | "outcome">;
  readonly #duration: Histogram<"what">;
  readonly #unreachable: Counter;
  readonly #pace = new LogPace();
  readonly #log: Logger;
  readonly #clock: Clock;

  constructor({ metrics, log, clock }: { metrics: Metrics; log: Logger; clock: Clock }) {
    this.#log = log;
    this.#clock = clock;
    this.#joins = new Counter({
      name: "meridian_joins_total",
      help: "Joins by mode, renewals and reconnections: seated, or the kind of the failure.",
      labelNames: ["what", "outcome"],
      registers: [metrics],
    });
    this.#duration = new Histogram({
      name: "meridian_join_duration_seconds",
      help: "From the request to its ticket, for those that got one.",
      labelNames: ["what"],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers: [metrics],
    });
    this.#unreachable = new Counter({
      name: "meridian_unreachable_reports_total",
      help: "Players who came back and said that they can't reach the node of their room.",
      registers: [metrics],
    });
  }

  /** A player can't reach the node of their room. */
  unreachable(): void {
    this.#unreachable.inc();
  }

  observe(what: string, outcome: string, durationMs: number): void {
    this.#joins.inc({ what, outcome });
    if (outcome === "seated") this.#duration.observe({ what }, durationMs / 1_000);
    if (!OURS.has(outcome)) return;
    const held = this.#pace.permit(this.#clock.monotonicMs());
    if (held === undefined) return;
    this.#log.warn({ what, outcome, held, runbook: "core-joins-fail" }, "players can't join");
  }
}
