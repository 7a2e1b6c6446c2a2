/**
 * Sessions that the core has ended, so that whoever is on the way in at that moment, or comes back to
 * the same URL, finds the door shut. The last `SESSIONS_MAX` of them: a seat is kept for a dropped player
 * for seconds, and after that there is nothing to come back to.
 */
import type { ErrorKind } from "../../shared/errors.ts";
import type { SessionId } from "../../shared/ids.ts";

const SESSIONS_MAX = 10_000;

export class EvictedSessions {
  /** Two generations: the older is forgotten when the younger is full. */
  #young = new Map<SessionId, ErrorKind>();
  #old = new Map<SessionId, ErrorKind>();

  add(sessionId: SessionId, kind: ErrorKind): void {
    if (this.#young.size >= SESSIONS_MAX) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(sessionId, kind);
  }

  /** Why the session was ended, if it was. */
  kindOf(sessionId: SessionId): ErrorKind | undefined {
    return this.#young.get(sessionId) ?? this.#old.get(sessionId);
  }
}
