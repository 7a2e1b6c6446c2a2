/**
 * How a connection that the border let in comes into its room.
 *
 * Of two connections for one session the newer wins: a player who changed networks must not wait for
 * the half-open socket to time out. The newer is announced to the room first, then the older is
 * closed; the room hands the session over when it hears of that. Of two sessions of one player in a
 * room the newer wins as well: see `take-over.ts`.
 */
import { type AuthContext, connectClientToRoom, type Room } from "@colyseus/core";
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { type ErrorKind, isFailure, MeridianError } from "../../shared/errors.ts";
import type { RoomId, SessionId } from "../../shared/ids.ts";
import type { TicketClaims } from "../../shared/protocol/ticket.ts";
import { holdExpected } from "../matchmaking/expected-seats.ts";
import type { Session } from "../matchmaking/seat-ledger.ts";
import { reholdSeat } from "../node/room-internals.ts";
import { type Connection, ReadyState } from "./connection.ts";
import { RoomClient } from "./room-client.ts";
import { type Rival, takeOver } from "./take-over.ts";
import type { Upkeep } from "./upkeep.ts";

/** Colyseus' codes: the seat is gone; a room's own code failed. */
const SEAT_EXPIRED = 524;
const ROOM_FAILED = 4002;

/** Who is told where a session stands; the seats are counted by it. */
export interface SessionEvents {
  /** A ticket holder is at the door, or a dropped player is back. */
  arrived(session: Session, roomId: RoomId): void;
  /** The player's other sessions that are in that room. */
  rivals(session: Session, roomId: RoomId): readonly Rival[];
  /** The connection is gone; the room may keep the seat for a while. */
  dropped(sessionId: SessionId): void;
  /** The room did not take the newcomer. */
  refused(sessionId: SessionId): void;
  /** Whether the session has a seat, as far as anyone here knows. */
  seated(sessionId: SessionId): boolean;
  /** Why the core has ended the session, if it has. */
  evicted(sessionId: SessionId): ErrorKind | undefined;
}

/** Someone whom the border let in. */
export interface Entry {
  readonly room: Room;
  readonly claims: TicketClaims;
  readonly resuming: boolean;
  readonly reconnectionToken: string | undefined;
  readonly skipHandshake: boolean;
  readonly acknowledged: boolean;
  readonly context: AuthContext;
}

export interface EntranceOptions {
  readonly sessions: SessionEvents;
  readonly upkeep: Upkeep;
  /** What may wait for a client that has not acknowledged its join, bytes. */
  readonly waitingBytesMax: number;
  readonly clock: Clock;
  readonly log: Logger;
}

export class Entrance {
  readonly #options: EntranceOptions;
  /** The newest connection of each session. */
  readonly #current = new Map<SessionId, Connection>();

  constructor(options: EntranceOptions) {
    this.#options = options;
  }

  /** Sends every player off, to come back. */
  dismissAll(): void {
    for (const connection of this.#current.values()) connection.refuse("going_away");
  }

  /** What waits to be sent to each player. */
  *waitingBytes(): Iterable<number> {
    for (const connection of this.#current.values()) yield connection.waitingBytes;
  }

  /** The connection's socket is gone. */
  closed(connection: Connection, sessionId: SessionId, code: number): void {
    if (this.#current.get(sessionId) === connection) {
      this.#current.delete(sessionId);
      this.#options.sessions.dropped(sessionId);
    }
    this.#options.upkeep.gone(connection);
    connection.closed(code);
  }

  /** Never rejects: the player is told why not. */
  async enter(connection: Connection, entry: Entry): Promise<void> {
    const { sessions, upkeep, waitingBytesMax } = this.#options;
    const { room, resuming } = entry;
    const { roomId, sessionId, reconnectionToken: token } = entry.claims;
    const older = this.#current.get(sessionId);
    const client = new RoomClient({
      sessionId,
      reconnectionToken: token,
      connection,
      resumed: resuming,
      waitingBytesMax,
    });
    this.#current.set(sessionId, connection);
    const { sub: playerId, sessionEpoch } = entry.claims;
    const session = { sessionId, playerId, sessionEpoch };
    sessions.arrived(session, roomId);
    try {
      if (sessions.rivals(session, roomId).length > 0) {
        await this.#takeOver(room, session, roomId, connection);
      }
      const entering = connectClientToRoom(room, client, entry.context, {
        ...(entry.reconnectionToken && { reconnectionToken: entry.reconnectionToken }),
        ...(entry.skipHandshake && { skipHandshake: true }),
      });
      older?.refuse("session_taken_over");
      await entering;
      // The core may have ended the session while its player came in.
      const ended = sessions.evicted(sessionId);
      if (ended) connection.refuse(ended);
      if (entry.acknowledged) connection.acknowledge();
      upkeep.entered(connection, client);
    } catch (err) {
      const current = this.#current.get(sessionId);
      // A later connection of the session has the seat by now, and its fate is told by that one.
      const superseded = current !== undefined && current !== connection;
      // The room may hold a returning player's seat still; a newcomer's is gone.
      if (!superseded && resuming) {
        // One who waited for the epoch of a restored room, and went, was never back.
        await holdExpected(room, sessionId);
        sessions.dropped(sessionId);
      } else if (!superseded) sessions.refused(sessionId);
      this.#refuseEntry(connection, client, entry, err);
    }
  }

  /** @throws {MeridianError} when the newcomer can't enter, or a still newer one has come meanwhile */
  async #takeOver(
    room: Room,
    session: Session,
    roomId: RoomId,
    connection: Connection,
  ): Promise<void> {
    const { sessions, clock } = this.#options;
    try {
      await takeOver({
        room,
        sessionEpoch: session.sessionEpoch,
        rivals: () => sessions.rivals(session, roomId),
        close: (sessionId) => this.#current.get(sessionId)?.refuse("session_taken_over"),
        clock,
      });
      if (connection.readyState !== ReadyState.OPEN) throw new MeridianError("session_taken_over");
    } catch (error) {
      // Its ticket is spent: nobody comes for that seat any more.
      await reholdSeat(room, session.sessionId, 0);
      throw error;
    }
  }

  #refuseEntry(connection: Connection, client: RoomClient, entry: Entry, error: unknown): void {
    const { log } = this.#options;
    const { roomId, sessionId } = entry.claims;
    const code = codeOf(error);
    if (isFailure(error)) {
      connection.refuse(error.kind);
    } else if (code === SEAT_EXPIRED) {
      connection.refuse(entry.resuming ? "reconnect_expired" : "ticket_expired");
    } else {
      log.warn(
        { err: error, roomId, sessionId, runbook: "region-game-code" },
        "a room did not take a player",
      );
      client.error(code ?? ROOM_FAILED, error instanceof Error ? error.message : "");
      connection.refuse(entry.resuming ? "reconnect_expired" : "internal");
    }
  }
}

function codeOf(error: unknown): number | undefined {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "number" ? code : undefined;
}
