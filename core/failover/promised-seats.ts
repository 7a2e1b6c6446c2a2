/**
 * Seats of nodes that rooms on their way there will need, and that no heartbeat counts yet: so that two nodes
 * which are lost at once are not both given the same ones.
 */
import type { Clock } from "../../shared/clock.ts";
import type { NodeId } from "../../shared/ids.ts";

/** By then the rooms are there, and a heartbeat has counted the seats that are held in them. */
const COUNTED_AFTER_MS = 4_000;
const PROMISES_MAX = 100_000;

interface Promised {
  readonly nodeId: NodeId;
  readonly seats: number;
  readonly untilMs: number;
}

export class PromisedSeats {
  readonly #clock: Pick<Clock, "monotonicMs">;
  #promises: Promised[] = [];

  constructor(clock: Pick<Clock, "monotonicMs">) {
    this.#clock = clock;
  }

  add(nodeId: NodeId, seats: number): void {
    const nowMs = this.#clock.monotonicMs();
    this.#promises = this.#promises.filter(({ untilMs }) => untilMs > nowMs).slice(-PROMISES_MAX);
    this.#promises.push({ nodeId, seats, untilMs: nowMs + COUNTED_AFTER_MS });
  }

  at(nodeId: NodeId): number {
    const nowMs = this.#clock.monotonicMs();
    return this.#promises
      .filter((promise) => promise.nodeId === nodeId && promise.untilMs > nowMs)
      .reduce((sum, { seats }) => sum + seats, 0);
  }
}
