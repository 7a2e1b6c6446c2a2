/** What the kind of a failure means for the search of a seat. */
import type { ErrorKind } from "../errors.ts";

/** The room, or the player's seat in it. */
export function isGone(kind: ErrorKind): boolean {
  return kind === "reconnect_expired" || kind === "room_not_found";
}

/** For longer than a moment: trying again is the player's to decide. */
export function isFull(kind: ErrorKind): boolean {
  return kind === "queued" || kind === "queue_full";
}

/** The seat was not reached in time, or its room ended meanwhile: the next one may do. */
export function anotherTicketHelps(kind: ErrorKind): boolean {
  return kind.startsWith("ticket_") || kind === "room_not_found";
}
