/**
 * Holds players before a room that has no epoch yet. Let in, they would play in a room that the core
 * may be giving to somebody else; refused, they would pay for a claim that takes a moment.
 */
import { MeridianError } from "../../shared/errors.ts";

export class EpochGate {
  /** @throws {MeridianError} `going_away`: the room ends, and whoever waited is to try again */
  readonly passed: Promise<void>;
  #open = () => {};
  #close = (_reason: MeridianError) => {};

  constructor() {
    this.passed = new Promise((resolve, reject) => {
      this.#open = resolve;
      this.#close = reject;
    });
    // Those who wait hear of it; there may be none.
    this.passed.catch(() => undefined);
  }

  open(): void {
    this.#open();
  }

  /** The room ends; without effect once the gate is open. */
  close(): void {
    this.#close(new MeridianError("going_away"));
  }
}
