/**
 * Players who left their room for good, until the core has acknowledged it: so that their next join has no
 * session to end. Bounded: past it the oldest is forgotten, which costs that join one call to this node.
 */
import type { PlayerId, SessionId } from "../../shared/ids.ts";
import type { Heartbeat } from "../../shared/protocol/link.ts";

type Left = Heartbeat["leftSessions"][number];

export class LeftSessions {
  readonly #max: number;
  readonly #left = new Map<SessionId, Left>();

  constructor(max: number) {
    this.#max = max;
  }

  /** @param dropped whether they lost their connection and did not come back in time */
  add(sessionId: SessionId, playerId: PlayerId, dropped: boolean): void {
    this.#left.set(sessionId, { sessionId, playerId, ...(dropped && { dropped }) });
    if (this.#left.size <= this.#max) return;
    const [oldest] = this.#left.keys();
    if (oldest !== undefined) this.#left.delete(oldest);
  }

  /** What the next heartbeat reports, oldest first. */
  list(): Heartbeat["leftSessions"] {
    return [...this.#left.values()];
  }

  acknowledged(left: Heartbeat["leftSessions"]): void {
    for (const { sessionId } of left) this.#left.delete(sessionId);
  }
}
