/**
 * Grants seats on this node, at the core's request, and answers for those it granted.
 *
 * The seat is taken in the ledger first and given back on every way out but success, so the node is
 * never overbooked and an error leaks nothing. An answer that comes too late for its caller costs a
 * seat only until its hold lapses.
 */
import { randomBytes } from "node:crypto";
import type { Room } from "@colyseus/core";
import { type Clock, sleep } from "../../shared/clock.ts";
import { describeKind, type ErrorKind, MeridianError } from "../../shared/errors.ts";
import { GameName, type NodeId, RoomId, SessionId } from "../../shared/ids.ts";
import type { ReleaseRequest, ReserveAnswer, ReserveRequest } from "../../shared/protocol/link.ts";
import type { Rooms } from "../node/colyseus.ts";
import {
  dismissReturn,
  holdSeat,
  holdsSession,
  mayReturn,
  reholdSeat,
} from "../node/room-internals.ts";
import { GameRoom } from "../rooms/game-room.ts";
import type { SessionRecord } from "../rooms/player.ts";
import type { EvictedSessions } from "./evicted-sessions.ts";
import { holdExpected } from "./expected-seats.ts";
import type { SeatLedger } from "./seat-ledger.ts";

const SESSION_ID_BYTES = 16;
/**
 * A room that looked open may fill up before the seat is taken in it: then another is tried, and at
 * last one is made for this player alone, who would lose every such race in a storm of joins.
 */
const ROOMS_TRIED_MAX = 5;
/** An evicted session's room may take this long; shorter than the core's patience. */
const LET_GO_DEADLINE_MS = 1_000;
const LET_GO_POLL_MS = 10;

/** Half of what a level of the overload gate lasts at least; others leave meanwhile. */
const OVERLOADED_RETRY_AFTER_MS = 5_000;

/** A room that is to be restored has its seats for so long before. */
const RESTORE_HOLD_MS = 10_000;

type SeatRequest = Extract<ReserveRequest, { kind: "seat" }>;
type RenewRequest = Extract<ReserveRequest, { kind: "renew" }>;
type ReconnectRequest = Extract<ReserveRequest, { kind: "reconnect" }>;

/** Whether new seats may be granted, and else why not; `old_rooms`: only in rooms that there are. */
export type Granting = "granting" | "old_rooms" | "overloaded" | "draining" | "no_lease";

/** Why a session ends. */
export interface Eviction {
  readonly roomId: RoomId;
  readonly sessionId: SessionId;
  readonly kind: ErrorKind;
}

export interface MatchmakerOptions {
  readonly nodeId: NodeId;
  readonly rooms: Rooms;
  readonly ledger: SeatLedger;
  readonly evicted: EvictedSessions;
  readonly granting: () => Granting;
  readonly clock: Clock;
}

export class Matchmaker {
  readonly #options: MatchmakerOptions;

  constructor(options: MatchmakerOptions) {
    this.#options = options;
  }

  /**
   * @throws {MeridianError} `region_full`, `overloaded`, `unavailable`, `unknown_game`, `forbidden`,
   *   `room_not_found`, `room_full`, `timeout` or `internal` for a seat; `ticket_expired`,
   *   `ticket_used` or `room_not_found` for a renewal; `room_not_found` or `reconnect_expired` for a
   *   reconnect
   */
  async reserve(request: ReserveRequest): Promise<ReserveAnswer> {
    if (request.kind === "seat") return this.#seat(request);
    if (request.kind === "renew") return this.#renew(request);
    return this.#reconnect(request);
  }

  /** Gives back a seat that still waits for its player; any other is left as it is. */
  async release({ roomId, sessionId }: ReleaseRequest): Promise<void> {
    const { rooms, ledger } = this.#options;
    const room = rooms.find(roomId);
    if (room && (await reholdSeat(room, sessionId, 0))) ledger.givenBack(sessionId);
  }

  /**
   * Takes seats for all who were in a room that is about to be restored, or for none. Those who newly come are
   * refused at a node that drains; they have nowhere else to go.
   * @returns false when there are not enough
   */
  takeSeats(sessions: readonly SessionRecord[], roomId: RoomId): boolean {
    const { ledger, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    for (const [taken, { sessionId, auth }] of sessions.entries()) {
      const { playerId, sessionEpoch } = auth;
      if (!ledger.reserve({ sessionId, playerId, sessionEpoch }, nowMs)) {
        this.giveSeats(sessions.slice(0, taken));
        return false;
      }
      // `expect` places them anew, once the room is there.
      ledger.place(sessionId, roomId, nowMs + RESTORE_HOLD_MS);
    }
    return true;
  }

  /** The room could not be restored after all. */
  giveSeats(sessions: readonly SessionRecord[]): void {
    for (const { sessionId } of sessions) this.#options.ledger.left(sessionId);
  }

  /** Holds the seats of those who were in a restored room at its former owner. */
  async expect(room: GameRoom, roomId: RoomId): Promise<void> {
    const { ledger, clock } = this.#options;
    const holdMs = room.reconnectGraceMs;
    for (const { sessionId, id: playerId, auth } of room.players.values()) {
      const nowMs = clock.monotonicMs();
      const { sessionEpoch } = auth;
      if (!ledger.reserve({ sessionId, playerId, sessionEpoch }, nowMs)) return;
      ledger.place(sessionId, roomId, nowMs + holdMs);
      await holdExpected(room, sessionId);
    }
  }

  /**
   * Ends a session for good: one whose seat still waits, one who plays, one who dropped. Answers when the
   * room has let go, or after a second: nobody comes back to it in any case.
   */
  async evict({ roomId, sessionId, kind }: Eviction): Promise<void> {
    const { rooms, ledger, evicted, clock } = this.#options;
    // First: whoever is on the way in is put out by the transport, which asks for this.
    evicted.add(sessionId, kind);
    await this.release({ roomId, sessionId });
    const room = rooms.find(roomId);
    if (!room) return;
    if (room instanceof GameRoom) await room.giveUp(sessionId);
    const endsAtMs = clock.monotonicMs() + LET_GO_DEADLINE_MS;
    while (ledger.get(sessionId)) {
      room.clients.get(sessionId)?.leave(describeKind(kind).closeCode, kind);
      // A room may keep the seat of whoever's connection ended, whatever the reason.
      dismissReturn(room, sessionId);
      if (clock.monotonicMs() >= endsAtMs) return;
      await sleep(clock, LET_GO_POLL_MS);
    }
  }

  async #seat(request: SeatRequest): Promise<ReserveAnswer> {
    const { rooms, ledger, clock } = this.#options;
    this.#assertGranting();
    if (!rooms.hasGame(request.game)) throw new MeridianError("unknown_game");
    const sessionId = SessionId.parse(randomBytes(SESSION_ID_BYTES).toString("base64url"));
    const { playerId, sessionEpoch } = request.player;
    const session = { sessionId, playerId, sessionEpoch };
    if (!ledger.reserve(session, clock.monotonicMs())) {
      throw new MeridianError("region_full", { message: "This region is full." });
    }
    const grant = ledger.granted;
    try {
      const room = await this.#place(request, sessionId);
      const roomId = RoomId.parse(room.roomId);
      ledger.place(sessionId, roomId, clock.monotonicMs() + request.holdMs);
      return { ...this.#answer(room, roomId, sessionId), grant };
    } catch (error) {
      ledger.left(sessionId);
      throw error;
    }
  }

  #assertGranting(): void {
    const granting = this.#options.granting();
    if (granting === "draining") {
      throw new MeridianError("region_full", { message: "This node is draining." });
    }
    if (granting === "overloaded") throw overloaded("nobody new");
    if (granting === "no_lease") {
      throw new MeridianError("unavailable", { message: "This node has no lease." });
    }
  }

  /** Asks the game whether it lets the player in, finds a room and takes the seat in it. */
  async #place(request: SeatRequest, sessionId: SessionId): Promise<Room> {
    const auth = await this.#options.rooms.authenticate(request.game, request);
    const seat = { sessionId, options: request.options, auth };
    for (let tried = 0; tried < ROOMS_TRIED_MAX; tried += 1) {
      const last = tried === ROOMS_TRIED_MAX - 1;
      const alone = last && request.mode === "joinOrCreate";
      const room = await this.#roomFor(alone ? { ...request, mode: "create" } : request);
      if (await holdSeat(room, seat, request.holdMs)) return room;
      if (request.mode === "joinById") break;
    }
    throw new MeridianError("room_full", { message: "The room is full, or was while you came." });
  }

  async #roomFor({ mode, game, roomId, options }: SeatRequest): Promise<Room> {
    const { rooms, granting } = this.#options;
    if (granting() === "old_rooms" && (mode === "joinOrCreate" || mode === "create")) {
      const open = mode === "joinOrCreate" && (await rooms.findOpen(game, options));
      if (open) return open;
      throw overloaded("no new rooms");
    }
    if (mode === "joinOrCreate") return rooms.findOrCreate(game, options);
    if (mode === "create") return rooms.create(game, options);
    if (mode === "join") return found(await rooms.findOpen(game, options));
    const room = found(roomId && rooms.find(roomId));
    if (room.roomName !== game) throw new MeridianError("room_not_found");
    if (room.locked) throw roomFull(room);
    return room;
  }

  async #renew({ roomId, sessionId, holdMs }: RenewRequest): Promise<ReserveAnswer> {
    const { rooms, ledger, clock } = this.#options;
    const room = rooms.find(roomId);
    if (!room) throw new MeridianError("room_not_found");
    if (!(await reholdSeat(room, sessionId, holdMs))) {
      const here = holdsSession(room, sessionId);
      throw new MeridianError(here ? "ticket_used" : "ticket_expired");
    }
    ledger.place(sessionId, roomId, clock.monotonicMs() + holdMs);
    return this.#answer(room, roomId, sessionId);
  }

  #reconnect(request: ReconnectRequest): ReserveAnswer {
    const { rooms, ledger, evicted } = this.#options;
    const { roomId, sessionId, playerId, reconnectionToken } = request;
    const endedFor = evicted.kindOf(sessionId);
    if (endedFor) throw new MeridianError(endedFor);
    const room = rooms.find(roomId);
    if (!room) throw new MeridianError("room_not_found");
    const own = ledger.get(sessionId)?.playerId === playerId;
    // A restored room never saw the token; the core did, and it names this session.
    const expected = room instanceof GameRoom && room.expects(sessionId);
    if (!own || !(expected || mayReturn(room, sessionId, reconnectionToken))) {
      throw new MeridianError("reconnect_expired");
    }
    return this.#answer(room, roomId, sessionId);
  }

  #answer(room: Room, roomId: RoomId, sessionId: SessionId): ReserveAnswer {
    const { nodeId } = this.#options;
    return { nodeId, game: GameName.parse(room.roomName), roomId, sessionId };
  }
}

/** Another node may have less to do, and this one soon will. */
function overloaded(taken: string): MeridianError {
  const message = `This node has too much to do: ${taken} for now.`;
  return new MeridianError("overloaded", { message, retryAfterMs: OVERLOADED_RETRY_AFTER_MS });
}

function found(room: Room | undefined): Room {
  if (!room) throw new MeridianError("room_not_found");
  return room;
}

/** Colyseus locks a room that is full, and games lock theirs. */
function roomFull({ maxClients, roomName }: Room): MeridianError {
  const limit = Number.isFinite(maxClients) ? `its maxClients is ${maxClients}` : "it has no limit";
  const message = `The room of ${roomName} is full or locked (${limit}): join another one.`;
  return new MeridianError("room_full", { message });
}
