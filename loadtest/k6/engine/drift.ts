/** How much slower the last tenth of a run is than the first, by medians. Pure. */

/** What a median of a few milliseconds differs by from run to run is no drift. */
const NOISE_MS = 20;
/** A median needs no more. */
const SAMPLES_MAX = 10_000;

export class Drift {
  readonly #fromMs: number;
  readonly #durationMs: number;
  readonly #first: number[] = [];
  readonly #last: number[] = [];

  constructor(fromMs: number, durationMs: number) {
    this.#fromMs = fromMs;
    this.#durationMs = durationMs;
  }

  add(valueMs: number, atMs: number): void {
    const tenth = Math.floor(((atMs - this.#fromMs) * 10) / this.#durationMs);
    if (tenth === 0) keep(this.#first, valueMs);
    if (tenth === 9) keep(this.#last, valueMs);
  }

  /** 1: none; Infinity where one of the two has no values, which is wrong as well. */
  get factor(): number {
    const [first, last] = [median(this.#first), median(this.#last)];
    if (first === undefined || last === undefined) return Number.POSITIVE_INFINITY;
    return (last + NOISE_MS) / (first + NOISE_MS);
  }
}

function keep(samples: number[], value: number): void {
  if (samples.length < SAMPLES_MAX) samples.push(value);
}

function median(samples: readonly number[]): number | undefined {
  return [...samples].sort((a, b) => a - b)[Math.floor(samples.length / 2)];
}
