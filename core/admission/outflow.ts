/**
 * How many seats come of each that the sessions of a region are expected to leave.
 *
 * One, as long as players stay as long as those before them did. Fewer where only so many may be active in the
 * world, more where a region grows. Counted while people wait for want of seats, over about the last half
 * minute, two or ten (exponentially decayed): the shortest of these with `SAMPLES_MIN` seats in it, as 30 s of a
 * region that gives a seat every ten are no measure. The ratio of what came and what was expected is the
 * standardised mortality ratio of epidemiology.
 */
const TAUS_MS = [30_000, 120_000, 600_000];
/** The measure is good to a fourteenth then. */
const SAMPLES_MIN = 200;
/** Until then so many seats weigh in that came as expected. */
const PRIOR_SEATS = 10;

export interface OutflowNow {
  /** Whether people wait because there is no seat. */
  readonly blocked: boolean;
  /** Seats a ms that sessions are expected to leave. */
  readonly expectedPerMs: number;
}

export interface PerEnd {
  readonly seats: number;
  /** Seats that it is known from. */
  readonly samples: number;
}

/** Decayed sums over one time. */
interface Window {
  readonly tauMs: number;
  served: number;
  expected: number;
}

export class Outflow {
  readonly #windows: readonly Window[] = TAUS_MS.map(windowOf);
  #atMs: number;
  #now: OutflowNow = { blocked: false, expectedPerMs: 0 };

  constructor(nowMs: number) {
    this.#atMs = nowMs;
  }

  /** Until this moment it was as told before; from now on it is so. */
  advance(nowMs: number, now: OutflowNow = this.#now): void {
    const ms = Math.max(0, nowMs - this.#atMs);
    const expected = this.#now.blocked ? this.#now.expectedPerMs * ms : 0;
    for (const window of this.#windows) {
      const share = Math.exp(-ms / window.tauMs);
      window.served *= share;
      window.expected = window.expected * share + expected;
    }
    this.#atMs = Math.max(this.#atMs, nowMs);
    this.#now = now;
  }

  /** So many seats were given to those who waited. */
  served(seats: number): void {
    if (!this.#now.blocked) return;
    for (const window of this.#windows) window.served += seats;
  }

  /** So many who were called did not come: their seats were not given after all. */
  returned(seats: number): void {
    for (const window of this.#windows) window.served = Math.max(0, window.served - seats);
  }

  perEnd(): PerEnd {
    const isEnough = ({ served }: Window) => served >= SAMPLES_MIN;
    const { served, expected } =
      this.#windows.find(isEnough) ?? this.#windows.at(-1) ?? windowOf(0);
    return { seats: (served + PRIOR_SEATS) / (expected + PRIOR_SEATS), samples: served };
  }
}

function windowOf(tauMs: number): Window {
  return { tauMs, served: 0, expected: 0 };
}
