/**
 * Players who left their room for good, until the core has acknowledged it: so that their next join has no
 * session to end. Bounded: past it the oldest is forgotten, which costs that join one call to this node.
 */
import type { PlayerId, SessionId } from "../../shared/ids.ts";
import type { Heartbeat } from "../../shared/protocol/link.ts";

export class LeftSessions {
  readonly #max: number;
  readonly #players = new Map<SessionId, PlayerId>();

  constructor(max: number) {
    this.#max = max;
  }

  add(sessionId: SessionId, playerId: PlayerId): void {
    this.#players.set(sessionId, playerId);
    if (this.#players.size <= this.#max) return;
    const [oldest] = this.#players.keys();
    if (oldest !== undefined) this.#players.delete(oldest);
  }

  /** What the next heartbeat reports, oldest first. */
  list(): Heartbeat["leftSessions"] {
    return Array.from(this.#players, ([sessionId, playerId]) => ({ sessionId, playerId }));
  }

  acknowledged(left: Heartbeat["leftSessions"]): void {
    for (const { sessionId } of left) this.#players.delete(sessionId);
  }
}
