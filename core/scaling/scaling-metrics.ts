/** What Prometheus sees of the scaling. */
import { Counter, Gauge, type Metrics } from "../../shared/metrics.ts";
import type { Reason, ScalingState } from "./scaling-step.ts";

export class ScalingMetrics {
  readonly #decisions: Counter<"region" | "reason">;

  constructor(metrics: Metrics, state: () => ScalingState) {
    this.#decisions = new Counter({
      name: "meridian_scaling_decisions_total",
      help: "Changes of how many nodes a region should run, by reason.",
      labelNames: ["region", "reason"],
      registers: [metrics],
    });
    new Gauge({
      name: "meridian_scaling_nodes_wanted",
      help: "Nodes that a region should run.",
      labelNames: ["region"],
      registers: [metrics],
      collect() {
        this.reset();
        for (const [region, { wanted }] of state()) this.set({ region }, wanted);
      },
    });
    new Gauge({
      name: "meridian_scaling_nodes_running",
      help: "Nodes of a region that live and are not being emptied.",
      labelNames: ["region"],
      registers: [metrics],
      collect() {
        this.reset();
        for (const [region, { running }] of state()) this.set({ region }, running);
      },
    });
  }

  decided(region: string, reason: Reason): void {
    this.#decisions.inc({ region, reason });
  }
}
