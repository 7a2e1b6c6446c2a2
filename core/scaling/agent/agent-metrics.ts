/** What Prometheus sees of an agent. */
import { Counter, type Metrics } from "../../../shared/metrics.ts";
import type { Act } from "./act-step.ts";

export class AgentMetrics {
  readonly #acts: Counter<"adapter" | "region" | "act">;
  readonly #failures: Counter<"adapter" | "region">;
  readonly #adapter: string;

  constructor(metrics: Metrics, adapter: string) {
    this.#adapter = adapter;
    this.#acts = new Counter({
      name: "meridian_scaling_acts_total",
      help: "What was done so that regions have the nodes that they should: add, evacuate, keep, remove.",
      labelNames: ["adapter", "region", "act"],
      registers: [metrics],
    });
    this.#failures = new Counter({
      name: "meridian_scaling_adapter_failures_total",
      help: "Regions that could not be scaled, by adapter; `core`: the core said nothing.",
      labelNames: ["adapter", "region"],
      registers: [metrics],
    });
  }

  done(region: string, act: Act["type"]): void {
    this.#acts.inc({ adapter: this.#adapter, region, act });
  }

  failed(adapter: string, region: string): void {
    this.#failures.inc({ adapter, region });
  }
}
