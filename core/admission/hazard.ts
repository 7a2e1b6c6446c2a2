/**
 * How likely it is to end soon, for what has lasted so long already: sessions, and the patience of those who wait.
 *
 * Ends and time spent are counted by age, exponentially decayed; ends over time is the rate, constant within
 * an age (the piecewise exponential model of survival analysis). Where little was seen of an age, it is taken
 * to be like the age before: when all began together, nobody knows yet how the old ones do.
 */

/** Where ages begin, minutes. */
const BEGINS_MIN = [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 180];
/** As many ends of the age before weigh in. */
const PRIOR_ENDS = 4;
/** Of what nothing is known of yet. */
const FIRST_PER_MS = 1 / 3_600_000;
/** What was seen a day ago says little. */
const TAU_MS = 6 * 3_600_000;

export class Hazard {
  readonly #ends = BEGINS_MIN.map(() => 0);
  readonly #spentMs = BEGINS_MIN.map(() => 0);
  readonly #perMs = BEGINS_MIN.map(() => FIRST_PER_MS);

  ended(ageMs: number, count: number): void {
    const at = indexOf(ageMs);
    this.#ends[at] = (this.#ends[at] ?? 0) + count;
  }

  spent(ageMs: number, countMs: number): void {
    const at = indexOf(ageMs);
    this.#spentMs[at] = (this.#spentMs[at] ?? 0) + countMs;
  }

  /** What was noted counts from now on. */
  learn(passedMs: number): void {
    const kept = Math.exp(-passedMs / TAU_MS);
    const ends = this.#ends.reduce((a, b) => a + b, 0);
    const spentMs = this.#spentMs.reduce((a, b) => a + b, 0);
    let before = (ends + 1) / (spentMs + 1 / FIRST_PER_MS);
    for (const at of BEGINS_MIN.keys()) {
      const seen = (this.#ends[at] ?? 0) + PRIOR_ENDS;
      before = seen / ((this.#spentMs[at] ?? 0) + PRIOR_ENDS / before);
      this.#perMs[at] = before;
      this.#ends[at] = (this.#ends[at] ?? 0) * kept;
      this.#spentMs[at] = (this.#spentMs[at] ?? 0) * kept;
    }
  }

  /** Ends a ms, of each that is of that age. */
  at(ageMs: number): number {
    return this.#perMs[indexOf(ageMs)] ?? FIRST_PER_MS;
  }
}

const MINUTE_MS = 60_000;
/** By the minute: which age it is. */
const INDEX = Int8Array.from({ length: (BEGINS_MIN.at(-1) ?? 0) + 1 }, (_, minute) =>
  BEGINS_MIN.findLastIndex((begin) => begin <= minute),
);

function indexOf(ageMs: number): number {
  const minute = Math.floor(Math.max(0, ageMs) / MINUTE_MS);
  return INDEX[Math.min(minute, INDEX.length - 1)] ?? 0;
}
