/**
 * How long those who wait for a region wait.
 *
 * Four things move a line: players leave seats, by how long they play already (`sessions.ts`); those who wait give
 * up, by how long they wait (`hazard.ts`); some get past others (`skips.ts`, `overtakes.ts`); and of the seats that
 * are left not all come to this line (`outflow.ts`). Every few seconds it is foreseen from these when each place is
 * served (`forecast.ts`); what is told is read off there.
 *
 * Nothing is known in advance: in the first minutes after an opening no session has lasted long yet, and nobody
 * can say how long they will. The bounds hold for four of five. They come from the seats that were counted and
 * those to go, as if both were Poisson, and from what the model leaves out, as docs/launch-day.md measures it.
 */
import type { Eta } from "../../shared/protocol/queue.ts";
import type { ClassSpec } from "./classes.ts";
import { type Cohort, Forecast } from "./forecast.ts";
import type { Habits } from "./habits.ts";
import { Outflow } from "./outflow.ts";
import { Overtakes } from "./overtakes.ts";
import { Sessions } from "./sessions.ts";
import { Skips } from "./skips.ts";

const FORECAST_MS = 5_000;
/** Of a normal distribution: four of five are within. */
const SIGMAS = 1.28;
/** Standard deviation of what comes, as a share of what was told, with as much as one likes counted. */
const MODEL_SIGMA = 0.18;
/** Nothing is promised for longer. */
const ETA_MS_MAX = 24 * 3_600_000;

export interface WaitEstimateOptions {
  readonly classes: readonly ClassSpec[];
  /** Of those who are let in. */
  readonly perSecondMax: number;
  readonly habits: Habits;
}

export interface Called {
  readonly classIndex: number;
  readonly size: number;
  /** Players of its class with lower numbers, less those with higher ones who came before it. */
  readonly skipped: number;
  readonly waitedMs: number;
  /** Whether the seat is one of the headroom. */
  readonly headroom: boolean;
}

/** How a region stands after a round of calls. */
export interface LineNow {
  /** Whether somebody waits for want of seats. */
  readonly blocked: boolean;
  /** Whether seats that are left fill the headroom first. */
  readonly refills: boolean;
  readonly taken: number | undefined;
  /** Those who wait, the front first; asked for seldom. */
  readonly line: () => readonly Cohort[];
}

export class WaitEstimate {
  readonly #options: WaitEstimateOptions;
  readonly #outflow: Outflow;
  readonly #sessions: Sessions;
  readonly #skips: Skips;
  readonly #overtakes: Overtakes;
  #blocked = false;
  #seated = 0;
  #forecast: Forecast | undefined;
  #forecastAtMs: number;

  constructor(options: WaitEstimateOptions, nowMs: number) {
    this.#options = options;
    this.#outflow = new Outflow(nowMs);
    this.#sessions = new Sessions(options.habits.sessions);
    this.#skips = new Skips(options.classes.length);
    this.#overtakes = new Overtakes(options.classes);
    this.#forecastAtMs = nowMs;
  }

  /** Seats were given that count as taken by now. */
  seated(seats: number): void {
    this.#seated += seats;
  }

  called({ classIndex, size, skipped, waitedMs, headroom }: Called, nowMs: number): void {
    this.#outflow.advance(nowMs);
    // A seat of the headroom is not one that somebody left.
    if (!headroom) this.#outflow.served(size);
    if (!this.#blocked) return;
    this.#skips.note(classIndex, size, skipped);
    this.#overtakes.note(classIndex, size, waitedMs);
  }

  returned(seats: number): void {
    this.#outflow.returned(seats);
  }

  /** Those who go although there were seats say nothing of patience. */
  gaveUp(waitedMs: number, players: number): void {
    if (this.#blocked) this.#options.habits.patience.ended(waitedMs, players);
  }

  settle({ blocked, refills, taken, line }: LineNow, nowMs: number): void {
    this.#blocked = blocked;
    if (taken !== undefined) {
      this.#sessions.taken(taken, this.#seated, nowMs);
      this.#seated = 0;
    }
    const expectedPerMs = this.#sessions.perMs(nowMs);
    this.#outflow.advance(nowMs, { blocked: blocked && !refills, expectedPerMs });
    if (nowMs - this.#forecastAtMs >= FORECAST_MS) this.#foresee(line(), nowMs);
  }

  /** As many players ahead as count for one of that size. */
  ahead(classIndex: number, size: number, ahead: number): number {
    return Math.max(0, ahead - this.#skips.of(classIndex, size));
  }

  /**
   * @param free seats, of which those ahead get some at once; below 0 where as many are to be left first
   * @returns null while nothing can be said
   */
  eta(classIndex: number, seats: number, free: number): Eta | null {
    const pacedMs = (seats / this.#options.perSecondMax) * 1_000;
    // While those that are free are given others are left: it takes as long as the slower of both.
    const rest = Math.max(0, seats - free);
    if (rest === 0) return bounded(pacedMs, 0);
    // It is foreseen for the last class; fewer get past those of the others.
    const others = 1 - this.#overtakes.of(classIndex);
    const restMs = this.#forecast?.ms((rest * this.#ownShare) / others);
    if (restMs === undefined || restMs === Number.POSITIVE_INFINITY) return null;
    const { samples } = this.#outflow.perEnd();
    const counted = 1 / Math.max(1, samples) + 1 / rest;
    return bounded(Math.max(pacedMs, restMs), SIGMAS * Math.sqrt(counted + MODEL_SIGMA ** 2));
  }

  /** Of the seats, what those of the last class get. */
  get #ownShare(): number {
    return 1 - this.#overtakes.of(this.#options.classes.length - 1);
  }

  #foresee(line: readonly Cohort[], nowMs: number): void {
    const { habits, perSecondMax } = this.#options;
    const passedMs = nowMs - this.#forecastAtMs;
    this.#forecastAtMs = nowMs;
    if (this.#blocked) {
      for (const { ageMs, players } of line) habits.patience.spent(ageMs, players * passedMs);
    }
    this.#sessions.spend(passedMs, nowMs);
    this.#forecast = new Forecast({
      line,
      playing: this.#sessions.cohorts(nowMs),
      leaving: (ageMs) => habits.patience.at(ageMs),
      ending: (ageMs) => habits.sessions.at(ageMs),
      // Where seats are not what is wanting, what came of them while they were says nothing.
      perEnd: (this.#blocked ? this.#outflow.perEnd().seats : 1) * this.#ownShare,
      perMsMax: perSecondMax / 1_000,
    });
  }
}

function bounded(ms: number, spread: number): Eta {
  const cut = (value: number) => Math.round(Math.min(ETA_MS_MAX, Math.max(0, value)));
  return { ms: cut(ms), lowMs: cut(ms * (1 - spread)), highMs: cut(ms * (1 + spread)) };
}
