/**
 * How fast a region's queue moves, and so how long a place in it waits.
 *
 * Seats are measured as they are given while people wait for want of seats, over about the last `TAU_MS`
 * (exponentially decayed); until there is enough of that, by the seats that players of the region leave. Who
 * gives up makes the line shorter, too: with `r` seats to go, `μ` seats a second and a rate `θ` at which each
 * one who waits gives up, `dr/dt = −μ − θr`, so that
 *
 *     wait = ln(1 + θ·r/μ) / θ        (the fluid limit of the Erlang-A queue; r/μ for θ = 0)
 *
 * The bounds hold for four of five: they come from the number of seats that `μ` is measured from and from the
 * number to go, both counted as Poisson.
 */
import type { Eta } from "../../shared/protocol/queue.ts";

const TAU_MS = 30_000;
/** Before so much was measured, the seats that were left weigh in, ms. */
const PRIOR_MS = 5_000;
/** Of a normal distribution: four of five are within. */
const SIGMAS = 1.28;
/** Nothing is promised for longer. */
const ETA_MS_MAX = 24 * 3_600_000;

export interface OutflowNow {
  /** Whether people wait because there is no seat. */
  readonly blocked: boolean;
  /** How many wait. */
  readonly waiting: number;
}

export class Outflow {
  #atMs: number;
  #now: OutflowNow = { blocked: false, waiting: 0 };
  /** Decayed sums: seats and people, ms, and person-milliseconds. */
  #servedBlocked = 0;
  #blockedMs = 0;
  #freed = 0;
  #elapsedMs = 0;
  #gaveUp = 0;
  #waitedMs = 0;

  constructor(nowMs: number) {
    this.#atMs = nowMs;
  }

  /** Until this moment it was as told before; from now on it is so. */
  advance(nowMs: number, now: OutflowNow = this.#now): void {
    const ms = Math.max(0, nowMs - this.#atMs);
    const decay = Math.exp(-ms / TAU_MS);
    this.#servedBlocked *= decay;
    this.#blockedMs = this.#blockedMs * decay + (this.#now.blocked ? ms : 0);
    this.#freed *= decay;
    this.#elapsedMs = this.#elapsedMs * decay + ms;
    this.#gaveUp *= decay;
    this.#waitedMs = this.#waitedMs * decay + this.#now.waiting * ms;
    this.#atMs = Math.max(this.#atMs, nowMs);
    this.#now = now;
  }

  /** So many seats were given to those who waited. */
  served(seats: number): void {
    if (this.#now.blocked) this.#servedBlocked += seats;
  }

  /** So many who were called did not come: their seats were not given after all. */
  returned(seats: number): void {
    this.#servedBlocked = Math.max(0, this.#servedBlocked - seats);
  }

  freed(seats: number): void {
    this.#freed += seats;
  }

  gaveUp(players: number): void {
    this.#gaveUp += players;
  }

  /**
   * @param seats to be given until it is this one's turn, its own included
   * @param free of them, at this moment
   * @param perSecondMax as many are let in
   * @returns null while nothing can be said
   */
  eta(seats: number, free: number, perSecondMax: number): Eta | null {
    const atOnce = Math.min(seats, Math.max(0, free));
    const rest = seats - atOnce;
    const pacedMs = (atOnce / perSecondMax) * 1_000;
    if (rest === 0) return bounded(pacedMs, 0);
    const { perMs, samples } = this.#rate();
    if (perMs <= 0) return null;
    const rate = Math.min(perMs, perSecondMax / 1_000);
    const leaving = this.#waitedMs > 0 ? this.#gaveUp / this.#waitedMs : 0;
    const restMs = leaving > 0 ? Math.log1p((leaving * rest) / rate) / leaving : rest / rate;
    return bounded(pacedMs + restMs, SIGMAS * Math.sqrt(1 / Math.max(1, samples) + 1 / rest));
  }

  #rate(): { readonly perMs: number; readonly samples: number } {
    const freedPerMs = this.#elapsedMs > 0 ? this.#freed / this.#elapsedMs : 0;
    const priorMs = Math.max(0, PRIOR_MS - this.#blockedMs);
    const samples = this.#servedBlocked + freedPerMs * priorMs;
    return { perMs: samples / (this.#blockedMs + priorMs), samples };
  }
}

function bounded(ms: number, spread: number): Eta {
  const cut = (value: number) => Math.round(Math.min(ETA_MS_MAX, Math.max(0, value)));
  return { ms: cut(ms), lowMs: cut(ms * (1 - spread)), highMs: cut(ms * (1 + spread)) };
}
