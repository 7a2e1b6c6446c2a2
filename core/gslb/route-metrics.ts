/** What Prometheus sees of decisions where to send somebody, and a paced log line when there is nowhere. */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { isFailure } from "../../shared/errors.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import { LogPace } from "../http/log-pace.ts";

/** Who asked: `GET` or `POST /v1/route`, or `GET /play`. */
export type RouteVia = "route" | "play";

export const ROUTED = "routed";
/** Failures that are ours, not the caller's. */
const OURS = new Set(["no_region", "region_full", "overloaded"]);

export class RouteMetrics {
  readonly #routes: Counter<"via" | "outcome">;
  readonly #pace = new LogPace();
  readonly #log: Logger;
  readonly #clock: Clock;

  constructor({ metrics, log, clock }: { metrics: Metrics; log: Logger; clock: Clock }) {
    this.#log = log;
    this.#clock = clock;
    this.#routes = new Counter({
      name: "meridian_routes_total",
      help: "Callers who asked where to play: routed, or the kind of the failure.",
      labelNames: ["via", "outcome"],
      registers: [metrics],
    });
  }

  /** Does the work and counts its outcome. @throws what `work` throws */
  counted<T>(via: RouteVia, work: () => T, outcomeOf: (answer: T) => string = () => ROUTED): T {
    try {
      const answer = work();
      this.#observe(via, outcomeOf(answer));
      return answer;
    } catch (error) {
      this.#observe(via, isFailure(error) ? error.kind : "internal");
      throw error;
    }
  }

  /** @param outcome `routed`, or the kind of the failure */
  #observe(via: RouteVia, outcome: string): void {
    this.#routes.inc({ via, outcome });
    if (!OURS.has(outcome)) return;
    const held = this.#pace.permit(this.#clock.monotonicMs());
    if (held === undefined) return;
    const details = { via, outcome, held, runbook: "core-joins-fail" };
    this.#log.warn(details, "there is no region to send players to");
  }
}
