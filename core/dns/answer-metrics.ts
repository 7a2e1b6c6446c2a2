/** Counts what is answered, and says when nobody can play anywhere; no line for a query. */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import { LogPace } from "../http/log-pace.ts";
import type { Answer } from "./answer.ts";

export class AnswerMetrics {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #lookups: Counter<"outcome">;
  readonly #pace = new LogPace();

  constructor(deps: { readonly clock: Clock; readonly log: Logger; readonly metrics: Metrics }) {
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#lookups = new Counter({
      name: "meridian_dns_lookups_total",
      help: "What the name server asked: regions, full (where to wait), fixed, none, closed (no region), unknown (no view).",
      labelNames: ["outcome"],
      registers: [deps.metrics],
    });
  }

  count({ outcome }: Answer): void {
    this.#lookups.inc({ outcome });
    if (outcome !== "closed" && outcome !== "unknown") return;
    const held = this.#pace.permit(this.#clock.monotonicMs());
    if (held === undefined) return;
    if (outcome === "closed") {
      this.#log.error({ held, runbook: "dns-no-region" }, "no region can be given as an answer");
    } else {
      this.#log.error({ held, runbook: "dns-view-stale" }, "nothing is known of the regions yet");
    }
  }
}
