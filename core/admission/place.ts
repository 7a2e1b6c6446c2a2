/** Who waits: entries of one player or a party, and the places that they have in lines. */
import type { PlayerId, RegionId } from "../../shared/ids.ts";
import { QUEUE_GRACE_MS } from "../../shared/protocol/queue.ts";

/** Those who are let in together or not at all: a player alone, or a party. */
export interface Entry {
  /** The first of them, by whom the place goes; the next one when that one goes. */
  leader: PlayerId;
  /** Index of its class. */
  class: number;
  /** Everybody who has no seat yet, the leader first as long as that is one of them. */
  members: Member[];
  /** Players who were named by the leader and may still come along. */
  invited: readonly PlayerId[];
  /** Where it waits: one place, or a second one after an accepted offer. */
  places: Place[];
  /** Other regions that suit it, the nearest first, with what they are further away, ms. */
  readonly others: readonly Other[];
  call: Call | undefined;
  /** How often it was told to come and did not. */
  missed: number;
  /** When something is due about it next, ms; `Infinity` for nothing. */
  wakeAtMs: number;
  /** As many as come together. */
  size: number;
}

export interface Member {
  readonly playerId: PlayerId;
  readonly entry: Entry;
  /** When the player was last heard of, ms. */
  seenMs: number;
  /** The next poll is not taken before. */
  notBeforeMs: number;
  /** When a poll was taken that was not due. */
  earlyAtMs: number;
  /** Present as long as the next poll is not overdue. */
  presentUntilMs: number;
  graceMs: number;
  /** Until when the seat that is being taken must have come; undefined while none is. */
  takingUntilMs: number | undefined;
}

export interface Place {
  readonly entry: Entry;
  readonly regionId: RegionId;
  /** Lower ones come first; no two of a line are the same. */
  number: number;
  /** Whether it is of an opening's drawing: until then it is told to nobody. */
  readonly drawn: boolean;
  /** Whether its turn may come: somebody is there, and nothing is called yet. Set by its line. */
  ready: boolean;
  /** Seats that went to smaller ones behind it, because it did not fit. */
  passedSeats: number;
}

export interface Other {
  readonly regionId: RegionId;
  readonly addedMs: number;
}

/** Seats are held for the entry. */
export interface Call {
  readonly regionId: RegionId;
  /** Those of them who have heard of it. */
  readonly told: Set<PlayerId>;
  untilMs: number;
  /** It is not prolonged beyond. */
  readonly lastMs: number;
}

/** An entry that has no place yet. */
export function entryOf(
  leader: PlayerId,
  party: readonly PlayerId[],
  classIndex: number,
  nowMs: number,
  { invited, others }: Pick<Entry, "invited" | "others">,
): Entry {
  const entry: Entry = {
    leader,
    class: classIndex,
    members: [],
    invited,
    places: [],
    others,
    call: undefined,
    missed: 0,
    wakeAtMs: Number.POSITIVE_INFINITY,
    size: 1 + party.length,
  };
  entry.members = [leader, ...party].map((playerId) => memberOf(playerId, entry, nowMs));
  return entry;
}

export function placeOf(entry: Entry, regionId: RegionId, number: number, drawn: boolean): Place {
  return { entry, regionId, number, drawn, ready: false, passedSeats: 0 };
}

export function memberOf(playerId: PlayerId, entry: Entry, seenMs: number): Member {
  return {
    playerId,
    entry,
    seenMs,
    notBeforeMs: 0,
    earlyAtMs: 0,
    presentUntilMs: 0,
    graceMs: QUEUE_GRACE_MS,
    takingUntilMs: undefined,
  };
}

/** The last of the party counts; a connection that is held open is not gone. */
export function keptUntilMs(members: readonly Member[]): number {
  return Math.max(
    ...members.map(({ seenMs, graceMs, presentUntilMs }) =>
      Math.max(seenMs + graceMs, presentUntilMs),
    ),
  );
}

/** Lets its players come until then, as far as a call may last at all. */
export function extend(call: Call, untilMs: number): void {
  call.untilMs = Math.max(call.untilMs, Math.min(untilMs, call.lastMs));
}
