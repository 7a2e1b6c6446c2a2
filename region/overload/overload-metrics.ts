/** What Prometheus sees of a node's overload gate. */
import { Counter, Gauge, type Metrics } from "../../shared/metrics.ts";
import { heightOf, OverloadLevel } from "../../shared/protocol/overload.ts";
import { type Sample, SIGNALS } from "./thresholds.ts";

export interface GateReadings {
  readonly level: () => OverloadLevel;
  /** Medians, as the gate goes by them. */
  readonly signals: () => Sample;
}

export class OverloadMetrics {
  readonly changes: Counter<"level">;
  readonly shed: Counter<"what">;

  constructor(metrics: Metrics, { level, signals }: GateReadings) {
    new Gauge({
      name: "meridian_region_overload_level",
      help: `How far up its ladder the node is: ${OverloadLevel.options.join(", ")} are 0 to 4`,
      registers: [metrics],
      collect() {
        this.set(heightOf(level()));
      },
    });
    new Gauge({
      name: "meridian_region_overload_signal",
      help: "What the overload gate goes by: each signal as its median over 2.5 s",
      labelNames: ["signal"],
      registers: [metrics],
      collect() {
        const values = signals();
        for (const signal of SIGNALS) this.set({ signal }, values[signal]);
      },
    });
    this.changes = new Counter({
      name: "meridian_region_overload_changes_total",
      help: "Changes of the overload level, by the level that was entered, from either side",
      labelNames: ["level"],
      registers: [metrics],
    });
    this.shed = new Counter({
      name: "meridian_region_overload_shed_total",
      help: "What the overload gate ended: spectator or room",
      labelNames: ["what"],
      registers: [metrics],
    });
  }
}
