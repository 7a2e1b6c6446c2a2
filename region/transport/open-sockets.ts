/**
 * How many websockets are open, by what they are. Each kind has a bound of its own, so that strangers
 * can't keep players out, and no player another. Those who are refused are not counted: theirs end
 * before they have begun.
 *
 * Who arrives with a fresh ticket is never refused: there are as many of those as seats. One ticket is
 * good for any number of returns, so those are bounded, for each session and altogether.
 */
import type { SessionId } from "../../shared/ids.ts";

/** The newest, and those that it or its forerunners took over from and that are not closed yet. */
export const SOCKETS_PER_SESSION_MAX = 4;

export interface SocketLimits {
  /** Players' sockets; past it nobody returns. */
  readonly connectionsMax: number;
  /** Anyone may open one. */
  readonly beaconsMax: number;
}

export class OpenSockets {
  readonly #limits: SocketLimits;
  readonly #ofSession = new Map<SessionId, number>();
  #players = 0;
  #beacons = 0;

  constructor(limits: SocketLimits) {
    this.#limits = limits;
  }

  get count(): number {
    return this.#players + this.#beacons;
  }

  mayReturn(sessionId: SessionId): boolean {
    const ofSession = this.#ofSession.get(sessionId) ?? 0;
    return this.#players < this.#limits.connectionsMax && ofSession < SOCKETS_PER_SESSION_MAX;
  }

  playerOpened(sessionId: SessionId): void {
    this.#players += 1;
    this.#ofSession.set(sessionId, (this.#ofSession.get(sessionId) ?? 0) + 1);
  }

  playerClosed(sessionId: SessionId): void {
    this.#players -= 1;
    const left = (this.#ofSession.get(sessionId) ?? 0) - 1;
    if (left > 0) this.#ofSession.set(sessionId, left);
    else this.#ofSession.delete(sessionId);
  }

  /** Whether one more fits; counted from then on when it does. */
  beaconOpened(): boolean {
    if (this.#beacons >= this.#limits.beaconsMax) return false;
    this.#beacons += 1;
    return true;
  }

  beaconClosed(): void {
    this.#beacons -= 1;
  }
}
