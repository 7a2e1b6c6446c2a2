/** What Prometheus sees of the registry. */
import { Counter, Gauge, type Metrics } from "../../shared/metrics.ts";
import { regionStateOf } from "./region-view.ts";
import type { RegionRecord } from "./registry-step.ts";

export class RegistryMetrics {
  readonly #heartbeats: Counter<"outcome">;
  readonly #changes: Counter<"change">;
  readonly #fences: Counter<"region" | "what">;

  constructor(metrics: Metrics, regions: () => readonly RegionRecord[]) {
    this.#heartbeats = new Counter({
      name: "meridian_heartbeats_total",
      help: "Heartbeats from nodes: accepted, or the kind of their refusal.",
      labelNames: ["outcome"],
      registers: [metrics],
    });
    this.#changes = new Counter({
      name: "meridian_node_changes_total",
      help: "Nodes that came up, went down, were replaced or forgotten.",
      labelNames: ["change"],
      registers: [metrics],
    });
    this.#fences = new Counter({
      name: "meridian_region_fences_total",
      help: "Regions that were fenced, and ends of that, by region.",
      labelNames: ["region", "what"],
      registers: [metrics],
    });
    new Gauge({
      name: "meridian_region_players",
      help: "Players in rooms, by region, as of the last heartbeats.",
      labelNames: ["region"],
      registers: [metrics],
      collect() {
        this.reset();
        for (const region of regions()) {
          const live = [...region.nodes.values()].filter((node) => node.alive);
          const players = live.reduce((sum, node) => sum + node.heartbeat.connected, 0);
          this.set({ region: region.spec.id }, players);
        }
      },
    });
    new Gauge({
      name: "meridian_region_state",
      help: "1 for the state that a region is in.",
      labelNames: ["region", "state"],
      registers: [metrics],
      collect() {
        this.reset();
        for (const region of regions()) {
          this.set({ region: region.spec.id, state: regionStateOf(region) }, 1);
        }
      },
    });
  }

  heartbeat(outcome: string): void {
    this.#heartbeats.inc({ outcome });
  }

  fence(region: string, what: "fenced" | "unfenced"): void {
    this.#fences.inc({ region, what });
  }

  change(change: string): void {
    this.#changes.inc({ change });
  }
}
