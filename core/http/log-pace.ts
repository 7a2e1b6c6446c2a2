/** Lets one log line a period through, so that a flood of failures is not also a flood of lines. */
export class LogPace {
  readonly #periodMs: number;
  #nextMs = Number.NEGATIVE_INFINITY;
  #held = 0;

  constructor(periodMs = 10_000) {
    this.#periodMs = periodMs;
  }

  /** When a line may be written now: how many were held back since the last one, else undefined. */
  permit(monotonicMs: number): number | undefined {
    if (monotonicMs < this.#nextMs) {
      this.#held += 1;
      return undefined;
    }
    this.#nextMs = monotonicMs + this.#periodMs;
    const held = this.#held;
    this.#held = 0;
    return held;
  }
}
