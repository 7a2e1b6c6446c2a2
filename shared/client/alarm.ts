/** One timer, which is moved about. */
import type { Cancel, Clock } from "../clock.ts";

export class Alarm {
  readonly #clock: Clock;
  readonly #ring: () => void;
  #atMs = Number.POSITIVE_INFINITY;
  #cancel: Cancel = () => {};

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** @param atMs of the monotonic clock; Infinity for never */
  set(atMs: number): void {
    if (atMs === this.#atMs) return;
    this.#cancel();
    this.#atMs = atMs;
    if (!Number.isFinite(atMs)) return;
    this.#cancel = this.#clock.after(Math.max(0, atMs - this.#clock.monotonicMs()), () => {
      this.#atMs = Number.POSITIVE_INFINITY;
      this.#ring();
    });
  }
}
