/** What Prometheus sees of players' state at the core. */
import { Counter, Histogram, type Metrics } from "../../shared/metrics.ts";
import type { RefusedItem } from "./applier-step.ts";

const APPLY_SECONDS = [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];

export class StateMetrics {
  readonly #batches: Counter<"outcome">;
  readonly #items: Counter<"outcome">;
  readonly #loads: Counter<"outcome">;
  readonly #seconds: Histogram;

  constructor(metrics: Metrics) {
    const registers = [metrics];
    this.#batches = new Counter({
      name: "meridian_state_batches_total",
      help: "Batches of players' state: applied, why not, or how they failed.",
      labelNames: ["outcome"],
      registers,
    });
    this.#items = new Counter({
      name: "meridian_state_items_total",
      help: "Items of batches that were taken: applied, or why they were refused.",
      labelNames: ["outcome"],
      registers,
    });
    this.#loads = new Counter({
      name: "meridian_state_loads_total",
      help: "Loads of players: granted, repeated, made to wait, or why they failed.",
      labelNames: ["outcome"],
      registers,
    });
    this.#seconds = new Histogram({
      name: "meridian_state_apply_seconds",
      help: "From a batch's turn to its commit.",
      buckets: APPLY_SECONDS,
      registers,
    });
  }

  batch(outcome: string): void {
    this.#batches.inc({ outcome });
  }

  items(count: number, refused: readonly RefusedItem[]): void {
    this.#items.inc({ outcome: "applied" }, count - refused.length);
    for (const { reason } of refused) this.#items.inc({ outcome: reason });
  }

  load(outcome: string): void {
    this.#loads.inc({ outcome });
  }

  applied(durationMs: number): void {
    this.#seconds.observe(durationMs / 1_000);
  }
}
