/** What Prometheus sees of failovers. */
import { Counter, Gauge, Histogram, type Metrics } from "../../shared/metrics.ts";
import type { RegionRecord } from "../regions/registry-step.ts";
import type { Moved } from "./mover.ts";

export class FailoverMetrics {
  readonly #failovers: Counter<"because">;
  readonly #rooms: Counter<"outcome">;
  readonly #players: Counter<string>;
  readonly #phases: Histogram<"phase">;
  readonly #looks: Counter<"by" | "saw">;

  constructor(
    metrics: Metrics,
    {
      regions,
      underWay,
    }: {
      readonly regions: () => readonly RegionRecord[];
      readonly underWay: () => number;
    },
  ) {
    this.#failovers = new Counter({
      name: "meridian_failovers_total",
      help: "Nodes that were fenced, by what told that they are gone.",
      labelNames: ["because"],
      registers: [metrics],
    });
    this.#rooms = new Counter({
      name: "meridian_failover_rooms_total",
      help: "Rooms of fenced nodes: moved, or unprotected (nobody had a copy, or the seats for it).",
      labelNames: ["outcome"],
      registers: [metrics],
    });
    this.#players = new Counter({
      name: "meridian_failover_players_total",
      help: "Players of the rooms that moved, as of their copies.",
      registers: [metrics],
    });
    this.#phases = new Histogram({
      name: "meridian_failover_duration_seconds",
      help: "From the decision to each phase's end: fenced, found (copies), told (take over), done.",
      labelNames: ["phase"],
      buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16],
      registers: [metrics],
    });
    this.#looks = new Counter({
      name: "meridian_failover_looks_total",
      help: "What was seen of nodes, by the core and by witnesses; `failed`: a witness could not be asked.",
      labelNames: ["by", "saw"],
      registers: [metrics],
    });
    new Gauge({
      name: "meridian_failovers_under_way",
      help: "Nodes whose rooms are on their way to their next owners.",
      registers: [metrics],
      collect() {
        this.set(underWay());
      },
    });
    new Gauge({
      name: "meridian_nodes_by_health",
      help: "Known nodes, by what the core makes of them.",
      labelNames: ["region", "health"],
      registers: [metrics],
      collect() {
        this.reset();
        for (const { spec, nodes } of regions()) {
          for (const { health } of nodes.values()) this.inc({ region: spec.id, health });
        }
      },
    });
  }

  fenced(because: string, tookMs: number): void {
    this.#failovers.inc({ because });
    this.#phases.observe({ phase: "fenced" }, tookMs / 1_000);
  }

  moved({ moved, unprotected, players, foundMs, toldMs, doneMs }: Moved): void {
    this.#rooms.inc({ outcome: "moved" }, moved);
    this.#rooms.inc({ outcome: "unprotected" }, unprotected);
    this.#players.inc(players);
    this.#phases.observe({ phase: "found" }, foundMs / 1_000);
    this.#phases.observe({ phase: "told" }, toldMs / 1_000);
    this.#phases.observe({ phase: "done" }, doneMs / 1_000);
  }

  saw(by: "core" | "witness", saw: string): void {
    this.#looks.inc({ by, saw });
  }
}
