/**
 * What we rely on inside a Colyseus room besides its public methods, named in one place. A test
 * holds the installed version to it.
 */
import { type Room, RoomInternalState } from "@colyseus/core";

/** Colyseus' `Deferred`, as far as it matters here. */
interface Reconnection {
  reject(reason: unknown): void;
}

interface RoomInternals {
  readonly _internalState: RoomInternalState;
  /** By session: join options, auth, whether consumed, whether held for a dropped player. */
  readonly _reservedSeats: Record<string, [unknown, unknown, boolean?, boolean?] | undefined>;
  readonly _reservedSeatTimeouts: Record<string, NodeJS.Timeout | undefined>;
  readonly _autoDisposeTimeout: NodeJS.Timeout | undefined;
  readonly _reconnections: Record<string, [sessionId: string, Reconnection] | undefined>;
  readonly _listing: {
    /** Connected ones and reserved seats. */
    clients: number;
    readonly locked?: boolean;
    readonly private?: boolean;
    readonly unlisted?: boolean;
  };
  readonly _events: {
    once(event: "disconnect", listener: () => void): void;
  };
  _reserveSeat(
    sessionId: string,
    joinOptions: unknown,
    authData: unknown,
    seconds: number,
  ): Promise<boolean>;
}

/** @internal for the test of this file's claims */
export function internals(room: Room): RoomInternals {
  return room as unknown as RoomInternals;
}

/**
 * Reserves a seat that lapses by itself after `holdMs`.
 * @returns false when the room is full or ending
 */
export async function holdSeat(
  room: Room,
  seat: { readonly sessionId: string; readonly options: unknown; readonly auth: unknown },
  holdMs: number,
): Promise<boolean> {
  return internals(room)._reserveSeat(seat.sessionId, seat.options, seat.auth, holdMs / 1000);
}

/**
 * Starts the hold of a seat anew; with 0 the seat is given back, by the path of one that lapsed, the
 * only one on which Colyseus keeps its own count right.
 * @returns false when there is no seat that waits for its player
 */
export async function reholdSeat(room: Room, sessionId: string, holdMs: number): Promise<boolean> {
  const { _reservedSeats, _reservedSeatTimeouts, _listing } = internals(room);
  const seat = _reservedSeats[sessionId];
  const [options, auth, consumed, heldForReturn] = seat ?? [];
  if (!seat || consumed || heldForReturn) return false;
  clearTimeout(_reservedSeatTimeouts[sessionId]);
  delete _reservedSeatTimeouts[sessionId];
  delete _reservedSeats[sessionId];
  // Reserving counts the seat a second time, so it is first taken out of the count.
  _listing.clients -= 1;
  return holdSeat(room, { sessionId, options, auth }, holdMs);
}

/** Free places in a room that anyone may be sent to; 0 in a locked, private or ending one. */
export function openSeatsOf(room: Room): number {
  const { locked, private: hidden, unlisted, clients } = internals(room)._listing;
  if (locked || hidden || unlisted) return 0;
  return Math.max(0, room.maxClients - clients);
}

/** Sessions with a seat that waits for its player. */
export function waitingSeats(room: Room): string[] {
  return Object.entries(internals(room)._reservedSeats)
    .filter(([, seat]) => seat && !seat[2] && !seat[3])
    .map(([sessionId]) => sessionId);
}

/** Whether any session is in the room or has a place in it: waiting, entering, kept for a return. */
export function hasSeats(room: Room): boolean {
  return room.clients.length > 0 || Object.keys(internals(room)._reservedSeats).length > 0;
}

/** Whether the room has begun to end: its timers are cleared, and none may be set again. */
export function isDisposing(room: Room): boolean {
  return internals(room)._internalState === RoomInternalState.DISPOSING;
}

/** Whether the session is in the room: connected, waiting for its player, or kept for a return. */
export function holdsSession(room: Room, sessionId: string): boolean {
  return (
    internals(room)._reservedSeats[sessionId] !== undefined ||
    room.clients.get(sessionId) !== undefined
  );
}

/** Whether a connection of that session is on its way in: its seat is used, and it is not in yet. */
export function isEntering(room: Room, sessionId: string): boolean {
  return internals(room)._reservedSeats[sessionId]?.[2] === true;
}

/**
 * Whether that token brings a player back to the session: one who dropped, or whose old connection
 * is open still. Changes nothing, unlike Colyseus' own check, which closes the old connection.
 */
export function mayReturn(room: Room, sessionId: string, token: string): boolean {
  const { _reservedSeats, _reconnections } = internals(room);
  if (_reservedSeats[sessionId]?.[3]) return _reconnections[token]?.[0] === sessionId;
  return room.clients.get(sessionId)?.reconnectionToken === token;
}

/**
 * Gives up the seat that is kept for a dropped player, if there is one: as if its time were over.
 * Colyseus would leave its timer running, and with it the process, for as long as the seat was kept.
 */
export function dismissReturn(room: Room, sessionId: string): void {
  const { _reconnections, _reservedSeatTimeouts } = internals(room);
  for (const kept of Object.values(_reconnections)) {
    if (kept?.[0] !== sessionId) continue;
    clearTimeout(_reservedSeatTimeouts[sessionId]);
    kept[1].reject(false);
  }
}

/** Before a room is ended, which lets go of every kept seat: ends the timers of these, too. */
export function endReturnTimers(room: Room): void {
  const { _reconnections, _reservedSeatTimeouts } = internals(room);
  for (const kept of Object.values(_reconnections)) {
    if (kept) clearTimeout(_reservedSeatTimeouts[kept[0]]);
  }
}

/**
 * Calls back once the room's `onDispose` has settled, whichever way. What Colyseus would have the room
 * wait for ends then: it leaves these timers running, a minute long after a seat that was held so.
 */
export function onceGone(room: Room, gone: () => void): void {
  const inside = internals(room);
  inside._events.once("disconnect", () => {
    clearTimeout(inside._autoDisposeTimeout);
    for (const timer of Object.values(inside._reservedSeatTimeouts)) clearTimeout(timer);
    gone();
  });
}
