/** What Prometheus sees of the queues. */
import type { RegionId } from "../../shared/ids.ts";
import { Counter, Gauge, type Metrics } from "../../shared/metrics.ts";
import type { Calls } from "./calls.ts";
import type { WaitingRooms } from "./waiting-rooms.ts";

export class AdmissionMetrics {
  readonly #metrics: Metrics;
  readonly #seats: Counter<"region" | "outcome">;
  readonly #restored: Counter<"from">;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
    this.#seats = new Counter({
      name: "meridian_admissions_total",
      help: "Players who were let in: seated, or untaken where the region gave no seat after all.",
      labelNames: ["region", "outcome"],
      registers: [metrics],
    });
    this.#restored = new Counter({
      name: "meridian_queue_places_restored_total",
      help: "Places that a former life of the core gave: from the mirror, or from clients' tokens.",
      labelNames: ["from"],
      registers: [metrics],
    });
  }

  watch(rooms: WaitingRooms, calls: Calls): void {
    new Gauge({
      name: "meridian_queue_waiting",
      help: "Players who wait for a seat.",
      labelNames: ["region"],
      registers: [this.#metrics],
      collect() {
        for (const [region, queue] of rooms.queues) this.set({ region }, queue.waiting);
      },
    });
    new Gauge({
      name: "meridian_queue_seats_held",
      help: "Seats that are held for players who were called.",
      labelNames: ["region"],
      registers: [this.#metrics],
      collect() {
        for (const [region, queue] of rooms.queues) this.set({ region }, queue.held);
      },
    });
    new Gauge({
      name: "meridian_queue_connections",
      help: "Polls that are held and streams of events.",
      registers: [this.#metrics],
      collect() {
        this.set(calls.open);
      },
    });
  }

  seated(region: RegionId): void {
    this.#seats.inc({ region, outcome: "seated" });
  }

  untaken(region: RegionId): void {
    this.#seats.inc({ region, outcome: "untaken" });
  }

  restored(from: "mirror" | "token"): void {
    this.#restored.inc({ from });
  }
}
