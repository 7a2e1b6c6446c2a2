/**
 * A circuit breaker: after `failuresMax` consecutive failures it refuses calls, and lets one probe
 * through each `openMs` until a call succeeds.
 */
export class Breaker {
  readonly #failuresMax: number;
  readonly #openMs: number;
  #failures = 0;
  #probeAtMs = 0;

  constructor(failuresMax = 5, openMs = 1_000) {
    this.#failuresMax = failuresMax;
    this.#openMs = openMs;
  }

  get open(): boolean {
    return this.#failures >= this.#failuresMax;
  }

  /** Whether a call may go out now; when open, a yes is the one probe of this period. */
  permits(nowMs: number): boolean {
    if (!this.open) return true;
    if (nowMs < this.#probeAtMs) return false;
    this.#probeAtMs = nowMs + this.#openMs;
    return true;
  }

  succeeded(): void {
    this.#failures = 0;
  }

  failed(nowMs: number): void {
    this.#failures += 1;
    if (this.#failures === this.#failuresMax) this.#probeAtMs = nowMs + this.#openMs;
  }
}
