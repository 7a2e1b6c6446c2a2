/**
 * The queue in front of one region: a line for each class, and whose turn is next.
 *
 * Seats that are free, less those that are held for whoever was called, go to classes by weight and inside a
 * class by number. A party that does not fit lets smaller ones behind it pass, until `PASSED_SEATS_MAX` seats
 * have gone by; from then on freed seats are kept for it. So among those of one class and size nobody ever
 * comes before somebody with a lower number who is there too. Seats of the headroom are not kept: a party of
 * another class could not have them.
 *
 * Pure apart from its own state: every time is an argument.
 */
import type { RegionId } from "../../shared/ids.ts";
import type { Eta } from "../../shared/protocol/queue.ts";
import { type Bucket, type Rate, refill } from "../accounts/bucket.ts";
import { type ClassSpec, Shares } from "./classes.ts";
import type { Cohort } from "./forecast.ts";
import type { Habits } from "./habits.ts";
import { Line } from "./line.ts";
import { Pace } from "./pace.ts";
import type { Place } from "./place.ts";
import { WaitEstimate } from "./wait-estimate.ts";

/** Numbers given in one ms at most; more are taken from the next. */
export const NUMBERS_PER_MS = 1_024;
/** As many as a party of the largest size and again as many: it waits for two turns of its own. */
export const PASSED_SEATS_MAX = 32;
/** Of those that do not fit, as many are looked past: a line of parties only must not cost a walk through it. */
const PASSED_PLACES_MAX = 64;
/** Those who wait are looked at together, about so many groups of them, when it is foreseen how long it takes. */
const COHORTS = 64;

/** Free seats of a region as last reported; below 0 where more are taken than should be. */
export interface SeatReport {
  /** For everyone: what is left of the capacity less the headroom. */
  readonly limited: number;
  /** For classes that may use the headroom. */
  readonly all: number;
  /** As many as everyone's classes may have at most, whoever is there now. */
  readonly limit: number;
}

/** Everybody who is there at its time is let in in an order that is drawn. */
export interface OpeningDraw {
  readonly opensAtMs: number;
  /** Two of a region with the same are one, whose time was changed. */
  readonly scheduledAtMs: number;
  /** The number that a player drew; below any that is given after the opening. */
  numberOf(leader: string): number;
}

export interface Turn {
  readonly place: Place;
  /** Those ahead that it does not leave room enough for. */
  readonly passed: readonly Place[];
  /** Players of its class with lower numbers. */
  readonly ahead: number;
}

export interface RegionQueueOptions {
  readonly classes: readonly ClassSpec[];
  readonly rate: Rate;
  readonly habits: Habits;
}

export class RegionQueue {
  readonly regionId: RegionId;
  readonly #classes: readonly ClassSpec[];
  readonly #rate: Rate;
  readonly #lines: readonly Line[];
  readonly #shares: Shares;
  readonly #waits: WaitEstimate;
  /** By class: whether somebody waits for want of seats. */
  readonly #blocked: boolean[];
  readonly #pace = new Pace();
  #bucket: Bucket;
  #report: SeatReport | undefined;
  #held = 0;
  #calledPlayers = 0;
  #lastNumber = 0;
  #pausedUntilMs = 0;
  opening: OpeningDraw | undefined;

  constructor(regionId: RegionId, { classes, rate, habits }: RegionQueueOptions, nowMs: number) {
    this.regionId = regionId;
    this.#classes = classes;
    this.#rate = rate;
    this.#lines = classes.map(() => new Line());
    this.#shares = new Shares(classes);
    this.#waits = new WaitEstimate({ classes, perSecondMax: rate.perSecond, habits }, nowMs);
    this.#blocked = classes.map(() => false);
    this.#bucket = { tokens: rate.burst, atMs: nowMs };
  }

  /** Players who wait, those who are called and have no seat yet among them. */
  get waiting(): number {
    return this.#lines.reduce((sum, line) => sum + line.players, this.#calledPlayers);
  }

  /** By class. */
  get waitingByClass(): readonly number[] {
    return this.#lines.map((line) => line.players);
  }

  /** Seats that are held for whoever was called. */
  get held(): number {
    return this.#held;
  }

  /** Players who are called and have no seat yet. */
  get calledPlayers(): number {
    return this.#calledPlayers;
  }

  get seats(): SeatReport | undefined {
    return this.#report;
  }

  /** Until when nobody is called after a loss of the queue. */
  get pausedUntilMs(): number {
    return this.#pausedUntilMs;
  }

  /** What the region's own set of seats says; `undefined`: not known any more, and so nobody is let in. */
  report(report: SeatReport | undefined): void {
    this.#report = report;
  }

  /** Calls nobody until then. */
  pause(untilMs: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, untilMs);
  }

  opensAtMs(nowMs: number): number | undefined {
    const opensAtMs = this.opening?.opensAtMs;
    return opensAtMs !== undefined && nowMs < opensAtMs ? opensAtMs : undefined;
  }

  /** What may be told of a place's number: 0 for one that is drawn and counts only after the opening. */
  toldNumber({ number, drawn }: Place, nowMs: number): number {
    return drawn && this.opensAtMs(nowMs) !== undefined ? 0 : number;
  }

  /** The next number, or before an opening the one that is drawn. */
  number(leader: string, nowMs: number): number {
    if (this.opening && nowMs < this.opening.opensAtMs) return this.opening.numberOf(leader);
    this.#lastNumber = Math.max(this.#lastNumber + 1, Math.floor(nowMs) * NUMBERS_PER_MS);
    return this.#lastNumber;
  }

  /** Numbers up to there were given already. */
  numbered(number: number): void {
    this.#lastNumber = Math.max(this.#lastNumber, number);
  }

  /** Two may draw the same number: whoever comes later, or comes back, gets the next free one. */
  add(place: Place): void {
    const line = this.#line(place);
    while (line.has(place.number)) place.number += 1;
    line.add(place);
  }

  remove(place: Place): void {
    this.#line(place).remove(place);
  }

  setReady(place: Place, ready: boolean): void {
    this.#line(place).setReady(place, ready);
  }

  /** Players of the same class who come before. */
  ahead(place: Place): number {
    return this.#line(place).ahead(place);
  }

  /** Whether somebody new of that class and size would be called at once. */
  isOpen(classIndex: number, size: number, nowMs: number): boolean {
    this.#refill(nowMs);
    if (this.#isShut(nowMs) || this.#bucket.tokens < 1) return false;
    // Those who wait for seats that they may not have hold up nobody who may have the headroom's.
    const isInWay = (index: number) => index === classIndex || this.#free(index) > 0;
    const isFirst = this.#lines.every(({ ready }, index) => ready === 0 || !isInWay(index));
    return isFirst && this.#free(classIndex) >= size;
  }

  /** Whether that many of a class, by default of the least, could ever be let in together. */
  holds(size: number, classIndex = this.#lastClass): boolean {
    if (this.#report === undefined) return true;
    const { limit, all, limited } = this.#report;
    return limit + (this.#usesHeadroom(classIndex) ? all - limited : 0) >= size;
  }

  /**
   * Whose turn it is; undefined for nobody's. `called` is to follow.
   * @param worldFree seats that may be given anywhere
   */
  next(nowMs: number, worldFree: number): Turn | undefined {
    this.#refill(nowMs);
    if (this.#isShut(nowMs) || this.#bucket.tokens < 1) return undefined;
    // A class that may have none of the seats there are now saves up no turns meanwhile.
    this.#shares.note(this.#lines.map(({ ready }, index) => ready > 0 && this.#free(index) > 0));
    const passedOver = new Set<number>();
    for (;;) {
      const index = this.#shares.next(
        (one) => !passedOver.has(one) && (this.#lines[one]?.ready ?? 0) > 0 && this.#free(one) > 0,
      );
      if (index === undefined) return undefined;
      const turn = this.#turnIn(index, Math.min(this.#free(index), worldFree));
      if (turn && turn !== "kept") return turn;
      passedOver.add(index);
      if (turn === undefined) continue;
      const mayHave = (one: number) => this.#usesHeadroom(one) && !this.#usesHeadroom(index);
      for (const one of this.#lines.keys()) if (!mayHave(one)) passedOver.add(one);
    }
  }

  /** The seats of that turn are held from now on; its places are in no line any more. */
  called({ place, passed, ahead }: Turn, nowMs: number): void {
    const { size, class: index } = place.entry;
    const call = { classIndex: index, size, skipped: ahead - place.passedSeats };
    const waitedMs = this.#waitedMs(place, nowMs);
    this.#waits.called({ ...call, waitedMs, headroom: this.#everyonesFree < size }, nowMs);
    this.#shares.gave(index, size);
    this.#bucket = { ...this.#bucket, tokens: this.#bucket.tokens - size };
    this.#pace.add(size, nowMs);
    this.#held += size;
    this.#calledPlayers += size;
    for (const other of passed) other.passedSeats += size;
  }

  /** Seats of a call were taken: the region's own report counts them. */
  seated(seats: number): void {
    this.#held -= seats;
    this.#calledPlayers -= seats;
    this.#waits.seated(seats);
  }

  /** Seats of a call are free again. */
  released(seats: number): void {
    this.#held -= seats;
    this.#calledPlayers -= seats;
    this.#waits.returned(seats);
  }

  /** As many of the place waited in vain. */
  gaveUp(place: Place, players: number, nowMs: number): void {
    this.#waits.gaveUp(this.#waitedMs(place, nowMs), players);
  }

  /** Players who were let in of late, a second: taken their seats or about to. */
  letInPerSecond(nowMs: number): number {
    return this.#pace.perSecond(nowMs);
  }

  /** To be told after each round of calls, so that the outflow is measured. */
  settle(nowMs: number): void {
    this.#refill(nowMs);
    // Whoever is there and is not called although players are let in waits for want of seats, wherever they lack; where
    // as many as may be were let in just now, only if no seat is left.
    const isShut = this.#isShut(nowMs);
    const isSpent = this.#bucket.tokens < 1;
    for (const [index, { ready }] of this.#lines.entries()) {
      if (ready === 0) this.#blocked[index] = false;
      else if (!isShut) this.#blocked[index] = !isSpent || this.#free(index) <= 0;
    }
    // Of a region that is not known, nothing is learned.
    const blocked = this.#report !== undefined && this.#blocked.includes(true);
    const taken = this.#report && this.#report.limit - this.#report.limited;
    this.#waits.settle(
      {
        ...{ blocked, taken, refills: this.#everyonesFree < 0 },
        line: () => this.#cohorts(nowMs),
      },
      nowMs,
    );
  }

  /** How long the place waits. */
  eta(place: Place, nowMs: number): Eta | null {
    const { size, class: index } = place.entry;
    if (this.opensAtMs(nowMs) !== undefined) return this.#etaUndrawn(index, size, nowMs);
    return this.#etaOf(index, this.#waits.ahead(index, size, this.ahead(place)) + size, nowMs);
  }

  /**
   * Before an opening that of everybody in the class, from the first tenth to the last: a place's own would tell
   * what it drew.
   */
  #etaUndrawn(classIndex: number, size: number, nowMs: number): Eta | null {
    const players = this.#lines[classIndex]?.players ?? 0;
    const at = (share: number) =>
      this.#etaOf(classIndex, Math.max(size, Math.ceil(players * share)), nowMs);
    const [first, middle, last] = [at(0.1), at(0.5), at(0.9)];
    return first && middle && last && { ...middle, lowMs: first.lowMs, highMs: last.highMs };
  }

  /** How long somebody new would. */
  etaOfNew(classIndex: number, size: number, nowMs: number): Eta | null {
    const ahead = this.#lines[classIndex]?.players ?? 0;
    return this.#etaOf(classIndex, this.#waits.ahead(classIndex, size, ahead) + size, nowMs);
  }

  /** Other classes get their shares meanwhile. */
  #etaOf(classIndex: number, own: number, nowMs: number): Eta | null {
    if (this.#report === undefined) return null;
    const weight = this.#classes[classIndex]?.weight ?? 1;
    let seats = own;
    for (const [index, { weight: other }] of this.#classes.entries()) {
      if (index === classIndex) continue;
      seats += Math.min(this.#lines[index]?.players ?? 0, (own * other) / weight);
    }
    const free = this.#usable(classIndex);
    const extra = free - this.#usable(this.#lastClass);
    const eta = this.#waits.eta({ classIndex, seats, free, extra }, nowMs);
    const shutMs = Math.max(this.#pausedUntilMs, this.opening?.opensAtMs ?? 0) - nowMs;
    if (!eta || shutMs <= 0) return eta;
    return { ms: eta.ms + shutMs, lowMs: eta.lowMs + shutMs, highMs: eta.highMs + shutMs };
  }

  #turnIn(classIndex: number, free: number): Turn | "kept" | undefined {
    const passed: Place[] = [];
    let mayPassSeats = Number.POSITIVE_INFINITY;
    for (const place of this.#lines[classIndex]?.readyPlaces() ?? []) {
      const { size } = place.entry;
      // Since it came the region has become too small for it: nothing can be kept for it.
      if (!this.holds(size, classIndex)) continue;
      if (size <= free) {
        return size <= mayPassSeats ? { place, passed, ahead: this.ahead(place) } : "kept";
      }
      mayPassSeats = Math.min(mayPassSeats, PASSED_SEATS_MAX - place.passedSeats);
      if (mayPassSeats <= 0) return "kept";
      if (passed.length === PASSED_PLACES_MAX) return undefined;
      passed.push(place);
    }
    return undefined;
  }

  #isShut(nowMs: number): boolean {
    return nowMs < this.#pausedUntilMs || this.opensAtMs(nowMs) !== undefined;
  }

  #free(classIndex: number): number {
    if (!this.#report) return 0;
    const { limited, all } = this.#report;
    return (this.#usesHeadroom(classIndex) ? all : limited) - this.#held;
  }

  get #lastClass(): number {
    return this.#classes.length - 1;
  }

  /** What is free while its own wait is kept for parties, or more than may be active in the world. */
  #usable(classIndex: number): number {
    const free = this.#free(classIndex);
    return this.#blocked[classIndex] ? Math.min(0, free) : free;
  }

  /** Without the headroom; below 0 while some of that is taken. */
  get #everyonesFree(): number {
    return (this.#report?.limited ?? 0) - this.#held;
  }

  /** Since when it waits; those of a drawing since the opening. */
  #waitedMs({ number, drawn }: Place, nowMs: number): number {
    const fromMs = drawn ? (this.opening?.opensAtMs ?? nowMs) : number / NUMBERS_PER_MS;
    return Math.max(0, nowMs - fromMs);
  }

  #cohorts(nowMs: number): Cohort[] {
    const cohorts: { ageMs: number; players: number }[] = [];
    const playersMax = Math.max(1, this.waiting / COHORTS);
    for (const line of this.#lines) {
      for (const place of line) {
        const { size } = place.entry;
        const last = cohorts.at(-1);
        if (last && last.players + size <= playersMax) last.players += size;
        else cohorts.push({ ageMs: this.#waitedMs(place, nowMs), players: size });
      }
    }
    return cohorts;
  }

  #usesHeadroom(classIndex: number): boolean {
    return this.#classes[classIndex]?.usesHeadroom ?? false;
  }

  #refill(nowMs: number): void {
    this.#bucket = refill(this.#bucket, this.#rate, nowMs);
  }

  #line({ entry }: Place): Line {
    const line = this.#lines[entry.class];
    if (!line) throw new Error("a class that there is not");
    return line;
  }
}
