/** Where a player's connection stands, as games and pages see it. */
import { type ErrorKind, errorKinds, MeridianError } from "../errors.ts";
import type { QueueOffer, QueuePlace } from "../protocol/queue.ts";

/** Why a connection ended for good; `closed` when the server gave no reason. */
export type LeaveReason = ErrorKind | "asked" | "closed";

/** A place in the queue of a region. */
export interface WaitingPlace extends Omit<QueuePlace, "token"> {
  /** The first one known, and null until then. With `position` it tells how far the wait has come. */
  readonly firstPosition: number | null;
  /** When the wait began, ms since 1970; a reload of the page does not change it. */
  readonly sinceMs: number;
  /** The region of an offer that is being accepted. */
  readonly accepting?: string;
}

/** What a player can do before the join is over; the `Play` of later. */
export interface Arrival {
  acceptOffer(regionId: string): void;
  declineOffer(regionId: string): void;
  leave(): Promise<void>;
}

export type Connection =
  | { readonly phase: "idle" }
  /** Looking for a room: the `attempt`th try is under way, or begins in `nextInMs`. */
  | { readonly phase: "joining"; readonly attempt: number; readonly nextInMs: number }
  /** Every seat is taken: waits, for as long as it takes. */
  | { readonly phase: "queued"; readonly place: WaitingPlace }
  /** Waits, and may play in another region sooner: `play.acceptOffer` or `play.declineOffer`. */
  | {
      readonly phase: "offered";
      readonly place: WaitingPlace;
      readonly offers: readonly QueueOffer[];
    }
  /** The wait is over: a seat in that region is held, and being taken. */
  | { readonly phase: "admitted"; readonly regionId: string }
  /** Has a seat in that region and opens its connection. */
  | { readonly phase: "connecting"; readonly regionId: string }
  | { readonly phase: "playing"; readonly regionId: string }
  /** Nothing was heard for a while. What is sent now may be lost. */
  | { readonly phase: "suspect"; readonly regionId: string }
  /** The connection is gone and the seat is kept: the `attempt`th return is under way, or begins
   * in `nextInMs`. */
  | {
      readonly phase: "reconnecting";
      readonly regionId: string;
      readonly attempt: number;
      readonly nextInMs: number;
    }
  /** The session goes on in another region, and its connection there is being opened. */
  | { readonly phase: "moving"; readonly from: string; readonly to: string }
  /** That room can't be had back. `rejoin()` looks for another. */
  | { readonly phase: "lost"; readonly regionId: string; readonly error: MeridianError }
  /** Over: the player left, or was sent away. */
  | { readonly phase: "left"; readonly reason: LeaveReason }
  /** No room was found. `rejoin()` tries again. */
  | { readonly phase: "failed"; readonly error: MeridianError };

/** The player is in another region now, by no wish of theirs. */
export interface Moved {
  readonly from: string;
  readonly to: string;
  /** From the last that was heard of the former region to the first state of this one. */
  readonly tookMs: number;
  /**
   * Whether it is the same room, with everybody and everything in it; else the former one is out of this player's
   * reach, and this is another.
   */
  readonly sameRoom: boolean;
}

/** With these the server asks to come back; 1006 and 1005 are a network's doing. */
const RETURN_CODES: readonly number[] = [1001, 1005, 1006, 4010];

/** The reason of a close when the room goes on at another node, where this player has a seat. */
export const ROOM_MOVED: ErrorKind = "room_moved";

/** Whether a connection that was in use and closed like that may come back. */
export function mayReturn(closeCode: number): boolean {
  return RETURN_CODES.includes(closeCode);
}

/** What a close means, from the kind that our servers give as its reason, else from its code. */
export function failureOfClose(code: number, reason: string): MeridianError | undefined {
  const kind = errorKinds().find((known) => known === reason);
  if (kind) return new MeridianError(kind);
  return mayReturn(code) ? new MeridianError("going_away") : undefined;
}
