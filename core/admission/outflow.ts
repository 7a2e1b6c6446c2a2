/**
 * How fast a region's queue moves, and so how long a place in it waits.
 *
 * Seats are measured as they are given while people wait for want of seats, over about the last half minute, two
 * or ten (exponentially decayed): the shortest of these with `SAMPLES_MIN` seats in it, as 30 s of a region that gives
 * a seat every ten are no measure. Until there is any, the seats that players of the region leave weigh in. Who
 * gives up makes the line shorter, too: with `r` seats to go, `μ` seats a second and a rate `θ` at which each
 * one who waits gives up, `dr/dt = −μ − θr`, so that
 *
 *     wait = ln(1 + θ·r/μ) / θ        (the fluid limit of the Erlang-A queue; r/μ for θ = 0)
 *
 * The bounds hold for four of five: they come from the number of seats that `μ` is measured from and from the
 * number to go, both counted as Poisson.
 */
import type { Eta } from "../../shared/protocol/queue.ts";

const TAUS_MS = [30_000, 120_000, 600_000];
/** The measure is good to a fourteenth then. */
const SAMPLES_MIN = 200;
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

/** Decayed sums over one time. */
interface Window {
  readonly tauMs: number;
  /** Seats and people, ms, and person-milliseconds. */
  servedBlocked: number;
  blockedMs: number;
  freed: number;
  elapsedMs: number;
  gaveUp: number;
  waitedMs: number;
}

export class Outflow {
  readonly #windows: readonly Window[];
  readonly #longest: Window;
  #atMs: number;
  #now: OutflowNow = { blocked: false, waiting: 0 };

  constructor(nowMs: number) {
    this.#atMs = nowMs;
    this.#windows = TAUS_MS.map(windowOf);
    this.#longest = this.#windows.at(-1) ?? windowOf(0);
  }

  /** Until this moment it was as told before; from now on it is so. */
  advance(nowMs: number, now: OutflowNow = this.#now): void {
    const ms = Math.max(0, nowMs - this.#atMs);
    const { blocked, waiting } = this.#now;
    if (ms > 0) for (const window of this.#windows) decay(window, ms, { blocked, waiting });
    this.#atMs = Math.max(this.#atMs, nowMs);
    this.#now = now;
  }

  /** So many seats were given to those who waited. */
  served(seats: number): void {
    if (!this.#now.blocked) return;
    for (const window of this.#windows) window.servedBlocked += seats;
  }

  /** So many who were called did not come: their seats were not given after all. */
  returned(seats: number): void {
    for (const window of this.#windows) {
      window.servedBlocked = Math.max(0, window.servedBlocked - seats);
    }
  }

  freed(seats: number): void {
    for (const window of this.#windows) window.freed += seats;
  }

  gaveUp(players: number): void {
    for (const window of this.#windows) window.gaveUp += players;
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
    const { gaveUp, waitedMs } = this.#longest;
    const leaving = waitedMs > 0 ? gaveUp / waitedMs : 0;
    const restMs = leaving > 0 ? Math.log1p((leaving * rest) / rate) / leaving : rest / rate;
    return bounded(pacedMs + restMs, SIGMAS * Math.sqrt(1 / Math.max(1, samples) + 1 / rest));
  }

  #rate(): { readonly perMs: number; readonly samples: number } {
    const isEnough = ({ servedBlocked }: Window) => servedBlocked >= SAMPLES_MIN;
    const { servedBlocked, blockedMs, freed, elapsedMs } =
      this.#windows.find(isEnough) ?? this.#longest;
    const freedPerMs = elapsedMs > 0 ? freed / elapsedMs : 0;
    const priorMs = Math.max(0, PRIOR_MS - blockedMs);
    const samples = servedBlocked + freedPerMs * priorMs;
    return { perMs: samples / (blockedMs + priorMs), samples };
  }
}

function windowOf(tauMs: number): Window {
  const sums = { servedBlocked: 0, blockedMs: 0, freed: 0, elapsedMs: 0, gaveUp: 0, waitedMs: 0 };
  return { tauMs, ...sums };
}

function decay(window: Window, ms: number, { blocked, waiting }: OutflowNow): void {
  const share = Math.exp(-ms / window.tauMs);
  window.servedBlocked *= share;
  window.blockedMs = window.blockedMs * share + (blocked ? ms : 0);
  window.freed *= share;
  window.elapsedMs = window.elapsedMs * share + ms;
  window.gaveUp *= share;
  window.waitedMs = window.waitedMs * share + waiting * ms;
}

function bounded(ms: number, spread: number): Eta {
  const cut = (value: number) => Math.round(Math.min(ETA_MS_MAX, Math.max(0, value)));
  return { ms: cut(ms), lowMs: cut(ms * (1 - spread)), highMs: cut(ms * (1 + spread)) };
}
