/**
 * Who comes anew: gets a place, the one that there is, or one in a party's that invited them. Nobody gets a place by
 * somebody else's, nor loses one.
 */
import { MeridianError } from "../../shared/errors.ts";
import type { PlayerId, RegionId } from "../../shared/ids.ts";
import { classIndexOf, NORMAL, sharedClass } from "./classes.ts";
import type { EntryBook, EntryBookSettings } from "./entry-book.ts";
import { type Entry, entryOf, type Member, memberOf, type Other, type Place } from "./place.ts";

const QUEUE_FULL_RETRY_AFTER_MS = 60_000;

export interface WaitingRoomsSettings extends EntryBookSettings {
  /** Players in the queue of one region; the next is refused. */
  readonly waitingMax: number;
  /** Polls of everybody together. */
  readonly pollsPerSecondMax: number;
}

export interface Newcomer {
  readonly playerId: PlayerId;
  /** The others of the party, who said so themselves. */
  readonly party: readonly PlayerId[];
  /** Those of whom only this player said so yet. */
  readonly invited: readonly PlayerId[];
  readonly class: string;
  /** Regions that are as good as each other to the player, the best first. */
  readonly regionIds: readonly RegionId[];
  /** Those that would be offered. */
  readonly others: readonly Other[];
  /** Whether a place in the queue is any use to the player. */
  readonly mayWait: boolean;
}

export class Entering {
  readonly #settings: WaitingRoomsSettings;
  readonly #book: EntryBook;

  constructor(settings: WaitingRoomsSettings, book: EntryBook) {
    this.#settings = settings;
    this.#book = book;
  }

  enter(newcomer: Newcomer, nowMs: number): Member | undefined {
    const known = this.#known(newcomer) ?? this.#invitation(newcomer, nowMs);
    if (known) {
      this.#book.hear(known, nowMs);
      this.#book.callFrom(known.entry.places, nowMs);
      return known;
    }
    const { party, invited } = this.#company(newcomer);
    const size = 1 + party.length;
    const classIndex = classIndexOf(this.#settings.classes, newcomer.class);
    const fitting = newcomer.regionIds
      .flatMap((regionId) => this.#book.queues.get(regionId) ?? [])
      .filter((queue) => queue.holds(size, classIndex));
    const [best] = fitting;
    if (!best) throw new MeridianError("region_full");
    const open =
      this.#book.worldFree - this.#book.held() >= size
        ? fitting.find((queue) => queue.isOpen(classIndex, size, nowMs))
        : undefined;
    if (!open && !newcomer.mayWait) return undefined;
    const queue = open ?? best;
    if (queue.waiting + size > this.#settings.waitingMax) throw queueFull();
    for (const playerId of [newcomer.playerId, ...party]) this.#book.leave(playerId, nowMs);
    const { others } = newcomer;
    const entry = entryOf(newcomer.playerId, party, classIndex, nowMs, { invited, others });
    this.#book.admit(entry, [this.#book.newPlace(entry, queue, nowMs)], nowMs);
    const member = this.#require(newcomer.playerId);
    this.#book.hear(member, nowMs);
    this.#book.callFrom(entry.places, nowMs);
    return member;
  }

  /** The place that there is, unless the player wants to play elsewhere now. */
  #known({ playerId, regionIds, others }: Newcomer): Member | undefined {
    const member = this.#book.members.get(playerId);
    const wanted = [...regionIds, ...others.map(({ regionId }) => regionId)];
    return member?.entry.places.some(({ regionId }) => wanted.includes(regionId))
      ? member
      : undefined;
  }

  /**
   * Nobody loses a place by what another one does: of the party, those who wait on their own, or are called, are
   * invited at most. Who said once that somebody may join for them meant no place at the end of the line.
   */
  #company({ playerId, party, invited }: Newcomer): Pick<Newcomer, "party" | "invited"> {
    const own = this.#book.members.get(playerId)?.entry;
    const isFree = (one: PlayerId) => {
      const entry = this.#book.members.get(one)?.entry;
      return entry === undefined || entry === own;
    };
    return {
      party: party.filter(isFree),
      invited: [...invited, ...party.filter((one) => !isFree(one))],
    };
  }

  #invitation(newcomer: Newcomer, nowMs: number): Member | undefined {
    const { playerId, party, invited } = newcomer;
    for (const leader of [...party, ...invited]) {
      const entry = this.#book.members.get(leader)?.entry;
      if (!entry || entry.call || !entry.invited.includes(playerId)) continue;
      if (!this.#maySharePlace(newcomer.class, entry)) continue;
      const fits = ({ regionId }: Place) =>
        this.#book.queue(regionId).holds(entry.size + 1, entry.class);
      if (!entry.places.every(fits)) continue;
      this.#book.leave(playerId, nowMs);
      this.#book.outOfLines(entry);
      entry.size += 1;
      const member = memberOf(playerId, entry, 0);
      entry.members.push(member);
      this.#book.members.set(playerId, member);
      for (const place of entry.places) this.#book.queue(place.regionId).add(place);
      return member;
    }
    return undefined;
  }

  /** Only who would wait no longer alone, else one of a better class could let in whomever they like. */
  #maySharePlace(name: string, entry: Entry): boolean {
    const { classes } = this.#settings;
    const own = classes[entry.class]?.name ?? NORMAL;
    return sharedClass(classes, [own, name]) === own;
  }

  #require(playerId: PlayerId): Member {
    const member = this.#book.members.get(playerId);
    if (!member) throw new Error("a player without a place");
    return member;
  }
}

export function queueFull(): MeridianError {
  return new MeridianError("queue_full", { retryAfterMs: QUEUE_FULL_RETRY_AFTER_MS });
}
