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

const SPEND_MS = 5_000;
const FORECAST_MS = 5_000;
/** For a place that had its turn by then, and waits still. */
const FORECAST_OVERDUE_MS = 1_000;
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

/** A place whose wait is asked for. */
export interface Waiting {
  readonly classIndex: number;
  /** As many seats are given until its turn is over, its own among them. */
  readonly seats: number;
  /** Of these, what can be given at once; below 0 where as many are to be left first. */
  readonly free: number;
  /** As many more than what the last class could have at once. */
  readonly extra: number;
}

/** What was foreseen once, and how many seats the last class has got since. */
interface Foreseen {
  readonly forecast: Forecast;
  readonly atMs: number;
  /** Whether there were seats to give at once. */
  readonly hadSeats: boolean;
  given: number;
}

export class WaitEstimate {
  readonly #options: WaitEstimateOptions;
  readonly #outflow: Outflow;
  readonly #sessions: Sessions;
  readonly #skips: Skips;
  readonly #overtakes: Overtakes;
  #now: LineNow | undefined;
  #seated = 0;
  #foreseen: Foreseen | undefined;
  /** Until when it is noted how long everybody plays and waits. */
  #spentMs: number;

  constructor(options: WaitEstimateOptions, nowMs: number) {
    this.#options = options;
    this.#outflow = new Outflow(nowMs);
    this.#sessions = new Sessions(options.habits.sessions);
    this.#skips = new Skips(options.classes.length);
    this.#overtakes = new Overtakes(options.classes);
    this.#spentMs = nowMs;
  }

  /** Seats were given that count as taken by now. */
  seated(seats: number): void {
    this.#seated += seats;
  }

  called({ classIndex, size, skipped, waitedMs, headroom }: Called, nowMs: number): void {
    this.#outflow.advance(nowMs);
    // A seat of the headroom is not one that somebody left.
    if (!headroom) this.#outflow.served(size);
    if (this.#foreseen && classIndex === this.#lastClass) this.#foreseen.given += size;
    if (!this.#now?.blocked) return;
    this.#skips.note(classIndex, size, skipped);
    this.#overtakes.note(classIndex, size, waitedMs);
  }

  returned(seats: number): void {
    this.#outflow.returned(seats);
  }

  /** Those who go although there were seats say nothing of patience. */
  gaveUp(waitedMs: number, players: number): void {
    if (this.#now?.blocked) this.#options.habits.patience.ended(waitedMs, players);
  }

  settle(now: LineNow, nowMs: number): void {
    const { blocked, refills, taken } = now;
    this.#now = now;
    if (taken !== undefined) {
      this.#sessions.taken(taken, this.#seated, nowMs);
      this.#seated = 0;
    }
    const expectedPerMs = this.#sessions.perMs(nowMs);
    this.#outflow.advance(nowMs, { blocked: blocked && !refills, expectedPerMs });
    this.#spend(now, nowMs);
  }

  /** As many players ahead as count for one of that size. */
  ahead(classIndex: number, size: number, ahead: number): number {
    return Math.max(0, ahead - this.#skips.of(classIndex, size));
  }

  /** @returns null while nothing can be said */
  eta({ classIndex, seats, free, extra }: Waiting, nowMs: number): Eta | null {
    const paced = bounded((seats / this.#options.perSecondMax) * 1_000, 0);
    const rest = Math.max(0, seats - free);
    if (rest === 0) return paced;
    // It is foreseen for the last class; fewer get past those of the others, and some have seats of their own.
    const own = Math.max(0, seats - extra);
    const position = (own * this.#ownShare) / (1 - this.#overtakes.of(classIndex));
    const foresee = (forMs: number) => {
      const foreseen = this.#foresee(free - extra, nowMs, forMs);
      if (!foreseen) return undefined;
      return foreseen.forecast.ms(position + foreseen.given) - (nowMs - foreseen.atMs);
    };
    let dueMs = foresee(FORECAST_MS);
    if (dueMs !== undefined && dueMs < 0) dueMs = foresee(FORECAST_OVERDUE_MS);
    if (dueMs === undefined || dueMs === Number.POSITIVE_INFINITY) return null;
    const { samples } = this.#outflow.perEnd();
    const counted = 1 / Math.max(1, samples) + 1 / rest;
    return later(
      paced,
      bounded(Math.max(0, dueMs), SIGMAS * Math.sqrt(counted + MODEL_SIGMA ** 2)),
    );
  }

  get #lastClass(): number {
    return this.#options.classes.length - 1;
  }

  /** Of the seats, what those of the last class get. */
  get #ownShare(): number {
    return 1 - this.#overtakes.of(this.#lastClass);
  }

  #spend({ blocked, line }: LineNow, nowMs: number): void {
    const passedMs = nowMs - this.#spentMs;
    if (passedMs < SPEND_MS) return;
    this.#spentMs = nowMs;
    const { patience } = this.#options.habits;
    if (blocked) {
      for (const { ageMs, players } of line()) patience.spent(ageMs, players * passedMs);
    }
    this.#sessions.spend(passedMs, nowMs);
  }

  /**
   * Anew when the last one is old, or seats that there were are gone, or the reverse.
   * @param free for the last class
   * @param forMs for so long the last one serves
   */
  #foresee(free: number, nowMs: number, forMs: number): Foreseen | undefined {
    const { habits, perSecondMax } = this.#options;
    const now = this.#now;
    const hadSeats = free > 0;
    const last = this.#foreseen;
    const isFresh = last?.hadSeats === hadSeats && nowMs - last.atMs < forMs;
    if (!now || isFresh) return last;
    const { blocked, line } = now;
    const forecast = new Forecast({
      line: line(),
      playing: this.#sessions.cohorts(nowMs),
      free: free * this.#ownShare,
      leaving: (ageMs) => habits.patience.at(ageMs),
      ending: (ageMs) => habits.sessions.at(ageMs),
      // Where seats are not what is wanting, what came of them while they were says nothing.
      perEnd: (blocked ? this.#outflow.perEnd().seats : 1) * this.#ownShare,
      perMsMax: perSecondMax / 1_000,
    });
    this.#foreseen = { forecast, atMs: nowMs, hadSeats, given: 0 };
    return this.#foreseen;
  }
}

function bounded(ms: number, spread: number): Eta {
  const cut = (value: number) => Math.round(Math.min(ETA_MS_MAX, Math.max(0, value)));
  return { ms: cut(ms), lowMs: cut(ms * (1 - spread)), highMs: cut(ms * (1 + spread)) };
}

function later(a: Eta, b: Eta): Eta {
  return {
    ms: Math.max(a.ms, b.ms),
    lowMs: Math.max(a.lowMs, b.lowMs),
    highMs: Math.max(a.highMs, b.highMs),
  };
}
