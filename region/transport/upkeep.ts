/**
 * Looks after the players who are in a room, with one timer for the whole node: a connection that was
 * sent nothing for a while gets a keep-alive, whatever kind of room it is in, and one that never
 * acknowledges its join is ended, because until then its messages wait and its seat is taken.
 *
 * They are looked at a tenth at a time, so that no tick waits for all of them.
 */
import { ClientState } from "@colyseus/core";
import type { Cancel, Clock } from "../../shared/clock.ts";
import { type Connection, ReadyState } from "./connection.ts";
import { KEEP_ALIVE_FRAME, KEEP_ALIVE_MS } from "./keep-alive.ts";
import type { RoomClient } from "./room-client.ts";

/** Clients acknowledge as soon as the join has arrived; the rest is a bad network's. */
export const ACKNOWLEDGE_MS = 10_000;
/** A keep-alive is late by this at most. */
const SWEEP_MS = KEEP_ALIVE_MS / 2;
/** What is sent to 5,000 at once, of whom nobody was sent anything, keeps a node for 50 ms. */
const SHARES = 10;

interface Entered {
  readonly client: RoomClient;
  readonly enteredAtMs: number;
  bytesSent: number;
  quietSinceMs: number;
}

export class Upkeep {
  readonly #clock: Clock;
  readonly #shares = Array.from({ length: SHARES }, () => new Map<Connection, Entered>());
  #sweeps = 0;
  #entries = 0;
  #cancel: Cancel | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  start(): void {
    this.#cancel = this.#clock.every(SWEEP_MS / SHARES, () => this.#sweep());
  }

  stop(): void {
    this.#cancel?.();
  }

  /** The room took the client, and has sent it the join, unless it is gone by now. */
  entered(connection: Connection, client: RoomClient): void {
    if (connection.readyState === ReadyState.CLOSED) return;
    const nowMs = this.#clock.monotonicMs();
    const { bytesSent } = connection;
    const entered = { client, enteredAtMs: nowMs, bytesSent, quietSinceMs: nowMs };
    this.#share(this.#entries++).set(connection, entered);
  }

  gone(connection: Connection): void {
    for (const share of this.#shares) share.delete(connection);
  }

  #share(turn: number): Map<Connection, Entered> {
    return this.#shares[turn % SHARES] ?? new Map();
  }

  #sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [connection, entered] of this.#share(this.#sweeps++)) {
      const { client, enteredAtMs } = entered;
      if (client.state === ClientState.JOINED) keepAlive(connection, entered, nowMs);
      else if (client.state === ClientState.JOINING && nowMs >= enteredAtMs + ACKNOWLEDGE_MS) {
        connection.refuse("resync");
      }
    }
  }
}

function keepAlive(connection: Connection, entered: Entered, nowMs: number): void {
  if (connection.bytesSent !== entered.bytesSent) {
    entered.quietSinceMs = nowMs;
  } else if (nowMs >= entered.quietSinceMs + KEEP_ALIVE_MS) {
    connection.send(KEEP_ALIVE_FRAME);
    entered.quietSinceMs = nowMs;
  }
  entered.bytesSent = connection.bytesSent;
}
