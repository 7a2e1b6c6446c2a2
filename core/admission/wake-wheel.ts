/** When each of many entries is looked at next, in steps of a second: each is in the wheel at most once. */

const STEP_MS = 1_000;

export interface Waking {
  /** Set by the wheel; `Infinity` for not at all. */
  wakeAtMs: number;
}

export class WakeWheel<T extends Waking> {
  readonly #steps = new Map<number, T[]>();
  #next: number;

  constructor(nowMs: number) {
    this.#next = Math.floor(nowMs / STEP_MS);
  }

  /** Not later than then; what is due sooner stays so. */
  wakeBy(one: T, atMs: number): void {
    const step = Math.max(this.#next, Math.ceil(atMs / STEP_MS));
    const stepMs = step * STEP_MS;
    if (one.wakeAtMs <= stepMs) return;
    one.wakeAtMs = stepMs;
    const others = this.#steps.get(step);
    if (others) others.push(one);
    else this.#steps.set(step, [one]);
  }

  /** Those that are due; they are not in the wheel any more. */
  *due(nowMs: number): Generator<T> {
    const last = Math.floor(nowMs / STEP_MS);
    const steps =
      last - this.#next > this.#steps.size
        ? [...this.#steps.keys()].filter((step) => step <= last).sort((a, b) => a - b)
        : Array.from({ length: Math.max(0, last - this.#next + 1) }, (_, at) => this.#next + at);
    this.#next = Math.max(this.#next, last + 1);
    for (const step of steps) {
      const waking = this.#steps.get(step) ?? [];
      this.#steps.delete(step);
      for (const one of waking) {
        // Else it was put into an earlier step meanwhile, and has been there.
        if (one.wakeAtMs !== step * STEP_MS) continue;
        one.wakeAtMs = Number.POSITIVE_INFINITY;
        yield one;
      }
    }
  }
}
