/**
 * The entries of everybody who waits, in all regions: their places in lines, who is there, whose seats are held, and
 * when each is looked at next. What players ask for, and may have, is decided in `waiting-rooms.ts`.
 *
 * Invariants: a player is in one entry; an entry that is called is in no line, and its seats are held in the region
 * that called it; one that is not is in the line of each of its places, ready if any of its players is present.
 */
import type { PlayerId, RegionId } from "../../shared/ids.ts";
import type { Rate } from "../accounts/bucket.ts";
import type { ClassSpec } from "./classes.ts";
import { Habits } from "./habits.ts";
import { type Entry, extend, keptUntilMs, type Member, type Place, placeOf } from "./place.ts";
import { PRESENCE_SLACK_MS } from "./poll-delay.ts";
import { type OpeningDraw, RegionQueue, type Turn } from "./region-queue.ts";
import { WakeWheel } from "./wake-wheel.ts";

/** Who was told so often and did not come has lost the place: seats can't be hoarded. */
const MISSED_MAX = 2;
/** Once one of a party has a seat, those of the others are held for them, ms. */
const PARTY_COME_MS = 30_000;
/** However a party comes, one after the other: those who have not come by then give the seats to the next, ms. */
const CALL_MS_MAX = 90_000;

export interface EntryBookSettings {
  readonly classes: readonly ClassSpec[];
  /** Of each region. */
  readonly rate: Rate;
}

export class EntryBook {
  readonly queues = new Map<RegionId, RegionQueue>();
  readonly members = new Map<PlayerId, Member>();
  /** Seats that may be given anywhere. */
  worldFree = Number.POSITIVE_INFINITY;
  readonly #settings: EntryBookSettings;
  readonly #wheel: WakeWheel<Entry>;
  readonly #changed = new Map<PlayerId, Entry | undefined>();
  readonly #called: Entry[] = [];
  readonly #habits: Habits;

  constructor(settings: EntryBookSettings, nowMs: number) {
    this.#settings = settings;
    this.#wheel = new WakeWheel(nowMs);
    this.#habits = new Habits(nowMs);
  }

  addRegion(regionId: RegionId, nowMs: number): void {
    if (!this.queues.has(regionId)) {
      const options = { ...this.#settings, habits: this.#habits };
      this.queues.set(regionId, new RegionQueue(regionId, options, nowMs));
    }
  }

  /** Lets time pass: who is overdue, who is gone, whose turn it is. */
  advance(nowMs: number): void {
    for (const entry of this.#wheel.due(nowMs)) this.#wake(entry, nowMs);
    this.#habits.learn(nowMs);
    for (const queue of this.queues.values()) {
      this.callNext(queue, nowMs);
      queue.settle(nowMs);
    }
  }

  /** Leaders of the parties that were called since the last time this was asked. */
  takeCalled(): readonly Entry[] {
    return this.#called.splice(0);
  }

  /** Entries that are not as they were since the last time, by leader; undefined for those that are gone. */
  takeChanged(): ReadonlyMap<PlayerId, Entry | undefined> {
    const changed = new Map(this.#changed);
    this.#changed.clear();
    return changed;
  }

  /** There is no such region any more: who waited for no other has no place, and is told so when they ask. */
  removeRegion(regionId: RegionId, nowMs: number): void {
    const queue = this.queues.get(regionId);
    if (!queue) return;
    for (const entry of new Set([...this.members.values()].map((member) => member.entry))) {
      if (entry.call?.regionId === regionId) this.uncall(entry, nowMs);
      const place = entry.places.find((one) => one.regionId === regionId);
      if (!place) continue;
      if (entry.places.length === 1) {
        for (const member of [...entry.members]) this.drop(member, nowMs, "released");
        continue;
      }
      if (!entry.call) queue.remove(place);
      entry.places = entry.places.filter((one) => one !== place);
      this.note(entry);
    }
    this.queues.delete(regionId);
  }

  /** Something was heard of the player: who was absent is there. */
  hear(member: Member, nowMs: number): void {
    const { entry } = member;
    member.seenMs = nowMs;
    member.presentUntilMs = Math.max(member.presentUntilMs, nowMs + PRESENCE_SLACK_MS);
    this.note(entry);
    this.setReady(entry, nowMs);
    this.wakeDue(entry, nowMs);
  }

  /**
   * For so long nothing could be heard of anybody: the process was stopped, or too busy. Nobody is later for that, who
   * was there when it began is taken to be there still, and no place, call or seat lapses by it.
   */
  resumed(deafMs: number, nowMs: number): void {
    const beganMs = nowMs - deafMs;
    for (const member of this.members.values()) {
      member.seenMs = Math.min(nowMs, member.seenMs + deafMs);
      if (member.presentUntilMs > beganMs) member.presentUntilMs += deafMs;
      if (member.takingUntilMs !== undefined) member.takingUntilMs += deafMs;
      const { call, leader } = member.entry;
      if (call && leader === member.playerId) call.untilMs += deafMs;
    }
  }

  /** 100,000 places take 0.8 s: an operator's change, and a rare one. */
  drawAnew(queue: RegionQueue, { numberOf }: OpeningDraw): void {
    const entries = new Set([...this.members.values()].map(({ entry }) => entry));
    const drawn = [...entries]
      .flatMap(({ places }) => places)
      .filter(({ regionId, drawn }) => regionId === queue.regionId && drawn);
    const inLine = drawn.filter(({ entry }) => !entry.call);
    for (const place of inLine) queue.remove(place);
    for (const place of drawn) place.number = numberOf(place.entry.leader);
    for (const place of inLine) queue.add(place);
    for (const { entry } of drawn) this.note(entry);
  }

  admit(entry: Entry, places: readonly Place[], nowMs: number): void {
    for (const place of places) this.addPlace(place);
    for (const member of entry.members) this.members.set(member.playerId, member);
    this.wakeDue(entry, nowMs);
    this.note(entry);
    this.setReady(entry, nowMs);
  }

  newPlace(entry: Entry, queue: RegionQueue, nowMs: number): Place {
    const drawn = queue.opensAtMs(nowMs) !== undefined;
    return placeOf(entry, queue.regionId, queue.number(entry.leader, nowMs), drawn);
  }

  addPlace(place: Place): void {
    // An array that grows by `push` has room for 16 more: 128 bytes for each who waits.
    place.entry.places = [...place.entry.places, place];
    this.queue(place.regionId).add(place);
  }

  #wake(entry: Entry, nowMs: number): void {
    if (entry.members.length === 0) return;
    for (const member of entry.members) {
      if ((member.takingUntilMs ?? nowMs + 1) <= nowMs) member.takingUntilMs = undefined;
    }
    if (entry.call && entry.call.untilMs <= nowMs) this.#lapse(entry, nowMs);
    if (!entry.call && (keptUntilMs(entry.members) <= nowMs || entry.missed >= MISSED_MAX)) {
      for (const place of entry.places) this.gaveUp(place, entry.size, nowMs);
      for (const member of [...entry.members]) this.drop(member, nowMs, "released");
      return;
    }
    this.setReady(entry, nowMs);
    this.wakeDue(entry, nowMs);
  }

  /** Nobody came for the seats. */
  #lapse(entry: Entry, nowMs: number): void {
    if (entry.call && entry.call.told.size > 0) entry.missed += 1;
    for (const member of entry.members) {
      member.presentUntilMs = Math.min(member.presentUntilMs, nowMs);
    }
    this.uncall(entry, nowMs);
  }

  uncall(entry: Entry, nowMs: number): void {
    const { call } = entry;
    if (!call) return;
    this.queue(call.regionId).released(entry.size);
    entry.call = undefined;
    for (const place of entry.places) this.queue(place.regionId).add(place);
    this.note(entry);
    this.setReady(entry, nowMs);
    this.wakeDue(entry, nowMs);
  }

  /** The player goes: by choice, or because a seat was found without the queue. */
  leave(playerId: PlayerId, nowMs: number): void {
    const member = this.members.get(playerId);
    if (!member) return;
    const { entry } = member;
    if (!entry.call) for (const place of entry.places) this.gaveUp(place, 1, nowMs);
    this.drop(member, nowMs, "released");
  }

  drop(member: Member, nowMs: number, how: "seated" | "released"): void {
    const { entry } = member;
    this.members.delete(member.playerId);
    if (entry.call) {
      const queue = this.queue(entry.call.regionId);
      if (how === "seated") queue.seated(1);
      else queue.released(1);
    } else this.outOfLines(entry);
    entry.members = entry.members.filter((other) => other !== member);
    entry.size = entry.members.length;
    const [first] = entry.members;
    if (!first) {
      this.#changed.set(entry.leader, undefined);
      return;
    }
    if (entry.leader === member.playerId) {
      // The former one may come back with a place of its own, and each place has a leader of its own.
      this.#changed.set(entry.leader, undefined);
      entry.leader = first.playerId;
    }
    this.note(entry);
    if (entry.call) {
      if (how === "seated") extend(entry.call, nowMs + PARTY_COME_MS);
      return;
    }
    for (const place of entry.places) this.queue(place.regionId).add(place);
    this.setReady(entry, nowMs);
    // Those who are left may have been heard of longer ago.
    this.wakeDue(entry, nowMs);
  }

  outOfLines(entry: Entry): void {
    for (const place of entry.places) this.queue(place.regionId).remove(place);
  }

  /** Something of it is not as it was. */
  note(entry: Entry): void {
    this.#changed.set(entry.leader, entry);
  }

  wakeBy(entry: Entry, atMs: number): void {
    this.#wheel.wakeBy(entry, atMs);
  }

  /** When something is due about it next. */
  wakeDue(entry: Entry, nowMs: number): void {
    this.#wheel.wakeBy(entry, this.#dueMs(entry, nowMs));
  }

  setReady(entry: Entry, nowMs: number): void {
    if (entry.call) return;
    const ready = entry.members.some(({ presentUntilMs }) => presentUntilMs > nowMs);
    for (const place of entry.places) this.queue(place.regionId).setReady(place, ready);
  }

  #dueMs({ call, members }: Entry, nowMs: number): number {
    if (call) return call.untilMs;
    const ends = members.map(({ presentUntilMs }) => presentUntilMs).filter((ms) => ms > nowMs);
    return Math.max(nowMs, Math.min(keptUntilMs(members), ...ends));
  }

  callFrom(places: readonly Place[], nowMs: number): void {
    for (const { regionId } of [...places]) this.callNext(this.queue(regionId), nowMs);
  }

  callNext(queue: RegionQueue, nowMs: number): void {
    for (;;) {
      const turn = queue.next(nowMs, this.worldFree - this.held());
      if (!turn) return;
      this.call(queue, turn, nowMs);
    }
  }

  call(queue: RegionQueue, turn: Turn, nowMs: number): void {
    const { entry } = turn.place;
    this.outOfLines(entry);
    for (const place of entry.places) place.ready = false;
    queue.called(turn, nowMs);
    for (const place of entry.places) {
      if (place.regionId !== queue.regionId) this.gaveUp(place, entry.size, nowMs);
    }
    const untilMs = Math.max(...entry.members.map(({ presentUntilMs }) => presentUntilMs));
    const lastMs = nowMs + CALL_MS_MAX;
    entry.call = {
      ...{ regionId: queue.regionId, told: new Set(), lastMs },
      untilMs: Math.min(untilMs, lastMs),
    };
    this.#wheel.wakeBy(entry, entry.call.untilMs);
    this.#called.push(entry);
    this.note(entry);
  }

  gaveUp(place: Place, players: number, nowMs: number): void {
    this.queue(place.regionId).gaveUp(place, players, nowMs);
  }

  held(): number {
    if (this.worldFree === Number.POSITIVE_INFINITY) return 0;
    let held = 0;
    for (const queue of this.queues.values()) held += queue.held;
    return held;
  }

  home(entry: Entry): Place {
    const [home] = entry.places;
    if (!home) throw new Error("an entry without a place");
    return home;
  }

  queue(regionId: RegionId): RegionQueue {
    const queue = this.queues.get(regionId);
    if (!queue) throw new Error("a region without a queue");
    return queue;
  }
}
