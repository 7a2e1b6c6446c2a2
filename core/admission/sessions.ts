/**
 * How long those who play in a region are there already, and so how many seats are left soon.
 *
 * A region reports how many seats are free, and not whose: those that were left are taken to be of all ages as
 * likely as each is (expectation maximisation, one step at each report).
 */
import type { Cohort } from "./forecast.ts";
import type { Hazard } from "./hazard.ts";

/** Seats that were taken within that are of one age. */
const COHORT_MS = 60_000;
const COHORTS_MAX = 128;
/** Of those who were there when the core started. */
/** Seats taken past the queue must not hide those that are left for long. */
const UNKNOWN_MAX = 64;
const UNKNOWN_AGE_MS = 1_800_000;

interface Began {
  readonly atMs: number;
  seats: number;
}

export class Sessions {
  readonly #hazard: Hazard;
  readonly #began: Began[] = [];
  #taken: number | undefined;
  /** Seats that are reported as taken, a moment before it is known that they were given. */
  #unknown = 0;

  constructor(hazard: Hazard) {
    this.#hazard = hazard;
  }

  /** So many seats are taken now. @param given since the last time, of which it is known */
  taken(seats: number, given: number, nowMs: number): void {
    if (this.#taken === undefined) this.#began.push({ atMs: nowMs - UNKNOWN_AGE_MS, seats });
    else {
      const seen = Math.min(given, this.#unknown);
      const change = seats - this.#taken - (given - seen);
      this.#unknown = Math.min(UNKNOWN_MAX, this.#unknown - seen + Math.max(0, change));
      this.#begin(given - seen + Math.max(0, change), nowMs);
      this.#end(Math.max(0, -change), nowMs);
    }
    this.#taken = seats;
  }

  /** Time passes for those who are there. */
  spend(ms: number, nowMs: number): void {
    for (const { atMs, seats } of this.#began) this.#hazard.spent(nowMs - atMs, seats * ms);
  }

  /** Seats a ms that are left, as far as sessions are like those before. */
  perMs(nowMs: number): number {
    let sum = 0;
    for (const { atMs, seats } of this.#began) sum += seats * this.#hazard.at(nowMs - atMs);
    return sum;
  }

  cohorts(nowMs: number): Cohort[] {
    return this.#began.map(({ atMs, seats }) => ({ ageMs: nowMs - atMs, players: seats }));
  }

  #begin(seats: number, nowMs: number): void {
    if (seats <= 0) return;
    const last = this.#began.at(-1);
    if (last && nowMs - last.atMs < COHORT_MS) last.seats += seats;
    else this.#began.push({ atMs: nowMs, seats });
    if (this.#began.length <= COHORTS_MAX) return;
    const [oldest] = this.#began.splice(0, 1);
    const [next] = this.#began;
    if (oldest && next) next.seats += oldest.seats;
  }

  #end(seats: number, nowMs: number): void {
    const perMs = this.perMs(nowMs);
    if (seats <= 0 || perMs <= 0) return;
    for (const began of this.#began) {
      const ageMs = nowMs - began.atMs;
      const share = (began.seats * this.#hazard.at(ageMs)) / perMs;
      const ended = Math.min(began.seats, seats * share);
      began.seats -= ended;
      this.#hazard.ended(ageMs, ended);
    }
    // Those of which there is next to nothing left are not worth a look.
    for (let at = this.#began.length - 1; at >= 0; at -= 1) {
      if ((this.#began[at]?.seats ?? 0) < 0.01) this.#began.splice(at, 1);
    }
  }
}
