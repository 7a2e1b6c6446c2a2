/** What is counted of leading. */
import { Counter, Gauge, type Metrics } from "../../shared/metrics.ts";
import type { Lead, Over } from "./leadership-step.ts";

export class LeadershipMetrics {
  readonly #elections: Counter;
  readonly #renewals: Counter<"outcome">;
  readonly #ends: Counter<"because">;

  /** @param leadOf of this process while it leads */
  constructor(metrics: Metrics, leadOf: () => Lead | undefined) {
    const registers = [metrics];
    this.#elections = new Counter({
      name: "meridian_core_elections_total",
      help: "Times that this core came to lead.",
      registers,
    });
    this.#renewals = new Counter({
      name: "meridian_core_lease_renewals_total",
      help: "Renewals of the leader's lease: renewed, or failed while the database was away.",
      labelNames: ["outcome"],
      registers,
    });
    this.#ends = new Counter({
      name: "meridian_core_leads_ended_total",
      help: "Why this core leads no longer; its process ends then.",
      labelNames: ["because"],
      registers,
    });
    new Gauge({
      name: "meridian_core_leads",
      help: "1 on the core that leads.",
      registers,
      collect() {
        this.set(leadOf() ? 1 : 0);
      },
    });
    new Gauge({
      name: "meridian_core_lead_term",
      help: "The term of the leader's lease, on the core that leads; 0 on the others.",
      registers,
      collect() {
        this.set(leadOf()?.term ?? 0);
      },
    });
  }

  elected(): void {
    this.#elections.inc();
  }

  renewed(outcome: "renewed" | "failed"): void {
    this.#renewals.inc({ outcome });
  }

  over(because: Over): void {
    this.#ends.inc({ because });
  }
}
