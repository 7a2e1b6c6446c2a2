/**
 * Everybody who waits for a seat, in all regions: who is there, who is called, who is gone.
 *
 * An entry (a player, or a party) has a place in one region's queue, and a second one after it accepted an
 * offer; a player is in one entry. When it is its turn it is *called*: its seats are held until its players
 * take them, each by a join of its own. Who does not come in time loses the seats, which go to the next, but
 * not the place: that is lost only after the grace, counted from when any of the party was last heard of.
 * Only entries of which somebody is present are called, so that the absent hold up nobody.
 *
 * Nothing here can be taken back by a region: a player counts as let in when a region has given the seat. If
 * it did not, the place is where it was.
 *
 * A deterministic machine: no clock, no chance and no I/O inside. Production and the simulated launch day run
 * it. Times are ms of one clock that never goes back.
 */
import { MeridianError } from "../../shared/errors.ts";
import type { PlayerId, RegionId } from "../../shared/ids.ts";
import {
  type Eta,
  QUEUE_GRACE_MS,
  QUEUE_HIDDEN_GRACE_MS,
  type QueueClaim,
  type QueueOffer,
} from "../../shared/protocol/queue.ts";
import { classIndexOf, NORMAL } from "./classes.ts";
import { Entering, type Newcomer, queueFull, type WaitingRoomsSettings } from "./entering.ts";
import { EntryBook } from "./entry-book.ts";
import { offersOf, soonest } from "./foresight.ts";
import { type Entry, entryOf, extend, type Member, type Place, placeOf } from "./place.ts";
import { frontOf, POLL_MS_MIN, PRESENCE_SLACK_MS, pollDelayMs } from "./poll-delay.ts";
import type { OpeningDraw, RegionQueue, SeatReport } from "./region-queue.ts";

/** A join whose seat has not come by then has failed; longer than it may ask regions. */
const TAKING_MS = 15_000;
/** Who was told to come and does not within that gives the seats to the next, ms. */
const COME_MS = 10_000;
/**
 * Who answers an offer, opens a stream or lost the connection need not wait for the next poll's time, but so long
 * between two such polls, ms.
 */
const EARLY_POLL_MS = 500;
const NOW: Eta = { ms: 0, lowMs: 0, highMs: 0 };

/** How a place stands; see `QueuePlace`. */
export interface Standing {
  readonly entry: Entry;
  readonly called: RegionId | undefined;
  readonly home: Place;
  readonly class: string;
  readonly position: number | null;
  readonly waiting: number;
  readonly eta: Eta | null;
  readonly pollAfterMs: number;
  readonly graceMs: number;
  readonly offers: readonly QueueOffer[];
  readonly opensAtMs: number | undefined;
}

export interface StandOptions {
  /** 0 to 1. */
  readonly dice: number;
  /** Of a poll that is answered later, or of a stream: its client is there so long in any case, ms. */
  readonly heldMs?: number;
  /** Whether this answer was held back as long as it could be. */
  readonly wasHeld?: boolean;
}

export interface RestoreOptions {
  readonly presentUntilMs?: number;
  /** Regions in which the number was drawn. */
  readonly drawn?: readonly RegionId[];
}

export class WaitingRooms {
  readonly #settings: WaitingRoomsSettings;
  readonly #book: EntryBook;
  readonly #entering: Entering;

  constructor(settings: WaitingRoomsSettings, regionIds: readonly RegionId[], nowMs: number) {
    this.#settings = settings;
    this.#book = new EntryBook(settings, nowMs);
    this.#entering = new Entering(settings, this.#book);
    for (const regionId of regionIds) this.addRegion(regionId, nowMs);
  }

  get queues(): ReadonlyMap<RegionId, RegionQueue> {
    return this.#book.queues;
  }

  /** Players who have a place, or are about to take their seat. */
  get players(): number {
    return this.#book.members.size;
  }

  addRegion(regionId: RegionId, nowMs: number): void {
    this.#book.addRegion(regionId, nowMs);
  }

  /** There is no such region any more: who waited for no other has no place, and is told so when they ask. */
  removeRegion(regionId: RegionId, nowMs: number): void {
    this.#book.removeRegion(regionId, nowMs);
  }

  /**
   * What the regions have free; those that are not in it are not known, and let nobody in.
   * @param worldFree seats that may be given anywhere
   */
  report(reports: ReadonlyMap<RegionId, SeatReport>, worldFree = Number.POSITIVE_INFINITY): void {
    for (const [regionId, queue] of this.#book.queues) queue.report(reports.get(regionId));
    this.#book.worldFree = worldFree;
  }

  /** Calls nobody there until then. */
  pause(regionId: RegionId, untilMs: number): void {
    this.#book.queues.get(regionId)?.pause(untilMs);
  }

  /** The region's opening; where only its time is another one, what was drawn for it is drawn anew. */
  open(regionId: RegionId, opening: OpeningDraw | undefined): void {
    const queue = this.#book.queues.get(regionId);
    if (!queue || queue.opening === opening) return;
    const before = queue.opening;
    queue.opening = opening;
    if (!opening || before?.scheduledAtMs !== opening.scheduledAtMs) return;
    if (before.opensAtMs !== opening.opensAtMs) this.#book.drawAnew(queue, opening);
  }

  members(): Iterable<Member> {
    return this.#book.members.values();
  }

  /** Whether somebody new of no special class would be called at once in one of these regions. */
  isOpen(regionIds: readonly RegionId[], size: number, nowMs: number): boolean {
    if (this.#book.worldFree - this.#book.held() < size) return false;
    const classIndex = classIndexOf(this.#settings.classes, NORMAL);
    return regionIds.some(
      (id) => this.#book.queues.get(id)?.isOpen(classIndex, size, nowMs) ?? false,
    );
  }

  find(playerId: PlayerId): Member | undefined {
    return this.#book.members.get(playerId);
  }

  /**
   * Gives the player a place, or finds the one that there is. Whose turn it is at once is called at once.
   * @returns undefined when the player would have to wait, and can't
   * @throws {MeridianError} `queue_full`; `region_full` for a party that no region can hold together
   */
  enter(newcomer: Newcomer, nowMs: number): Member | undefined {
    return this.#entering.enter(newcomer, nowMs);
  }

  /**
   * A player asks how far it has come.
   * @throws {MeridianError} `place_lost` for one who has none, `too_many_requests` before its time
   */
  poll(playerId: PlayerId, hidden: boolean, nowMs: number, early = false): Member {
    const member = this.#book.members.get(playerId);
    if (!member) throw new MeridianError("place_lost");
    const fromMs = early ? member.earlyAtMs + EARLY_POLL_MS : member.notBeforeMs;
    if (nowMs < fromMs) {
      throw new MeridianError("too_many_requests", { retryAfterMs: fromMs - nowMs });
    }
    if (early) member.earlyAtMs = nowMs;
    member.graceMs = hidden ? QUEUE_HIDDEN_GRACE_MS : QUEUE_GRACE_MS;
    this.#book.hear(member, nowMs);
    this.#book.callFrom(member.entry.places, nowMs);
    return member;
  }

  /** Something was heard of the player: who was absent is there. */
  hear(member: Member, nowMs: number): void {
    this.#book.hear(member, nowMs);
  }

  /** The connection that the player waited on is gone: absent until heard of again. */
  vanished(playerId: PlayerId, nowMs: number): void {
    const member = this.#book.members.get(playerId);
    if (!member) return;
    // Until now the connection said that it is there, however long ago it was opened.
    if (member.presentUntilMs > nowMs) member.seenMs = nowMs;
    member.presentUntilMs = nowMs;
    // At once but for the pace of such polls: else whoever breaks connections polls as often as they like.
    member.notBeforeMs = Math.min(member.notBeforeMs, nowMs + EARLY_POLL_MS);
    this.#book.wakeBy(member.entry, nowMs);
    this.#book.setReady(member.entry, nowMs);
  }

  /** How many at the front of each line ask as often as can be. */
  get front(): number {
    return frontOf(this.#settings.pollsPerSecondMax);
  }

  /**
   * How the player's place stands, and when the next poll is due.
   */
  stand(
    member: Member,
    { dice, heldMs = 0, wasHeld = false }: StandOptions,
    nowMs: number,
  ): Standing {
    const { entry } = member;
    const home = this.#book.home(entry);
    const queue = this.#book.queue(home.regionId);
    const { call } = entry;
    const opensAtMs = queue.opensAtMs(nowMs);
    const eta = call ? NOW : soonest(this.queues, entry, nowMs);
    // Until the opening nothing may depend on what was drawn, also not when to ask again.
    const position = call || opensAtMs !== undefined ? 1 : queue.ahead(home) + 1;
    const pollAfterMs = pollDelayMs({
      position,
      eta,
      opensInMs: opensAtMs === undefined ? undefined : opensAtMs - nowMs,
      waiting: this.#book.members.size,
      pollsPerSecondMax: this.#settings.pollsPerSecondMax,
      wasHeld,
      dice,
    });
    member.notBeforeMs = nowMs + pollAfterMs / 2;
    // Who was told to ask at once has as long as others at the front: on a busy machine it takes that.
    const dueMs = wasHeld ? POLL_MS_MIN : pollAfterMs;
    member.presentUntilMs = nowMs + heldMs + dueMs + PRESENCE_SLACK_MS;
    // Each of a party once, so that also the last to hear of it has time to come, and none can hold the seats.
    if (call && !call.told.has(member.playerId)) {
      call.told.add(member.playerId);
      extend(call, nowMs + COME_MS);
    }
    this.#book.setReady(entry, nowMs);
    this.#book.wakeDue(entry, nowMs);
    return {
      entry,
      called: call?.regionId,
      home,
      class: this.classNameOf(entry),
      position: opensAtMs === undefined ? position : null,
      waiting: queue.waiting,
      eta,
      pollAfterMs,
      graceMs: member.graceMs,
      offers: call ? [] : offersOf(this.queues, entry, eta?.ms, nowMs),
      opensAtMs,
    };
  }

  classNameOf(entry: Entry): string {
    return this.#settings.classes[entry.class]?.name ?? "";
  }

  /**
   * Waits for another region as well, by an offer.
   * @throws {MeridianError} `bad_request` for a region that was not offered
   */
  accept(member: Member, regionId: RegionId, nowMs: number): void {
    const { entry } = member;
    if (entry.places.some((place) => place.regionId === regionId) || entry.call) return;
    const queue = this.#book.queues.get(regionId);
    const isOffered = entry.others.some((other) => other.regionId === regionId);
    if (!isOffered || !queue?.holds(entry.size, entry.class)) {
      throw new MeridianError("bad_request", { message: "That region was not offered." });
    }
    if (queue.waiting + entry.size > this.#settings.waitingMax) throw queueFull();
    for (const second of entry.places.splice(1)) this.#book.queue(second.regionId).remove(second);
    this.#book.addPlace(this.#book.newPlace(entry, queue, nowMs));
    this.#book.setReady(entry, nowMs);
    this.#book.note(entry);
    this.#book.callFrom(entry.places, nowMs);
  }

  /** The player goes: by choice, or because a seat was found without the queue. */
  leave(playerId: PlayerId, nowMs: number): void {
    this.#book.leave(playerId, nowMs);
  }

  /** The player takes the seat now. @returns where; undefined for one who was not called */
  take(playerId: PlayerId, nowMs: number): RegionId | undefined {
    const member = this.#book.members.get(playerId);
    const call = member?.entry.call;
    if (!member || !call) return undefined;
    member.takingUntilMs = nowMs + TAKING_MS;
    call.untilMs = Math.max(call.untilMs, member.takingUntilMs);
    this.#book.wakeBy(member.entry, call.untilMs);
    return call.regionId;
  }

  /** A region has given the seat: the player waits no more. */
  seated(playerId: PlayerId, nowMs: number): void {
    const member = this.#book.members.get(playerId);
    if (member) this.#book.drop(member, nowMs, "seated");
  }

  /** No seat came of `take`: the place is where it was, and called again when there is one. */
  untaken(playerId: PlayerId, nowMs: number): void {
    const member = this.#book.members.get(playerId);
    // Else its time is over, and the call of now is another one.
    if (member?.takingUntilMs === undefined) return;
    member.takingUntilMs = undefined;
    if (member.entry.members.some((other) => other.takingUntilMs !== undefined)) return;
    this.#book.uncall(member.entry, nowMs);
  }

  /**
   * The region that called gave no seat after all, and that one would let somebody new in at once: calls the player
   * there. The place is not given up for it, so that it is where it was if that one gives none either.
   * @returns false when it has no seat for the player, too
   */
  divert(playerId: PlayerId, regionId: RegionId, nowMs: number): boolean {
    const entry = this.#book.members.get(playerId)?.entry;
    const queue = this.#book.queues.get(regionId);
    if (!entry || entry.call || !queue) return false;
    if (this.#book.worldFree - this.#book.held() < entry.size) return false;
    if (!queue.isOpen(entry.class, entry.size, nowMs)) return false;
    this.#book.call(queue, { place: this.#book.home(entry), passed: [], ahead: 0 }, nowMs);
    return true;
  }

  /**
   * For so long nothing could be heard of anybody: the process was stopped, or too busy. Nobody is later for that.
   */
  resumed(deafMs: number, nowMs: number): void {
    this.#book.resumed(deafMs, nowMs);
  }

  /** Lets time pass: who is overdue, who is gone, whose turn it is. */
  advance(nowMs: number): void {
    this.#book.advance(nowMs);
  }

  /** Those that were called since the last time this was asked. */
  takeCalled(): readonly Entry[] {
    return this.#book.takeCalled();
  }

  /** Entries that are not as they were since the last time, by leader; undefined for those that are gone. */
  takeChanged(): ReadonlyMap<PlayerId, Entry | undefined> {
    return this.#book.takeChanged();
  }

  /**
   * Gives an entry back the places that it had in a former life of the core; of a party, the member who
   * shows them. Taken for present until then, and called in its turn; else absent until it is heard of.
   * @returns false when there is one already, or no region of it is known
   */
  restore(
    claim: QueueClaim,
    nowMs: number,
    { presentUntilMs = nowMs, drawn = [] }: RestoreOptions = {},
  ): boolean {
    if (this.#book.members.has(claim.playerId)) return false;
    const others = claim.party.filter((id) => id !== claim.playerId && !this.#book.members.has(id));
    const places = claim.places.filter(([regionId]) => this.#book.queues.has(regionId));
    if (places.length === 0) return false;
    const alone = { invited: [], others: [] };
    const classIndex = classIndexOf(this.#settings.classes, claim.class);
    const entry = entryOf(claim.playerId, others, classIndex, nowMs, alone);
    for (const member of entry.members) {
      member.graceMs = claim.graceMs;
      member.presentUntilMs = presentUntilMs;
    }
    const restored = places.map(([regionId, number]) => {
      this.#book.queue(regionId).numbered(number);
      return placeOf(entry, regionId, number, drawn.includes(regionId));
    });
    this.#book.admit(entry, restored, nowMs);
    return true;
  }
}
