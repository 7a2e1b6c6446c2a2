/** What a node says about its players and rooms. */
import { Counter, Gauge, type Metrics } from "../../shared/metrics.ts";
import type { SeatCounts } from "../matchmaking/seat-ledger.ts";

export interface NodeReadings {
  readonly seats: () => SeatCounts;
  readonly rooms: () => number;
}

export class NodeMetrics {
  readonly roomFailures: Counter<"method">;
  readonly invalidMessages: Counter<"game">;

  constructor(metrics: Metrics, { seats, rooms }: NodeReadings) {
    this.roomFailures = new Counter({
      name: "meridian_region_room_failures_total",
      help: "Exceptions of game code that were contained in its room, by the method that threw",
      labelNames: ["method"],
      registers: [metrics],
    });
    this.invalidMessages = new Counter({
      name: "meridian_region_invalid_messages_total",
      help: "Messages of a wrong form, refused before game code saw them, by game",
      labelNames: ["game"],
      registers: [metrics],
    });
    const gauge = (name: string, help: string, read: () => number) => {
      new Gauge({
        name,
        help,
        registers: [metrics],
        collect() {
          this.set(read());
        },
      });
    };
    gauge("meridian_region_players", "Players connected to rooms", () => seats().connected);
    gauge(
      "meridian_region_seats_reserved",
      "Seats that wait for a ticket holder or a dropped player",
      () => seats().reserved,
    );
    gauge("meridian_region_rooms", "Rooms that have not ended", rooms);
  }
}
