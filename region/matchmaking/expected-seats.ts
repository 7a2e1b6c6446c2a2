/** Seats in a restored room for the players who were in it at its former owner. */
import type { Room } from "@colyseus/core";
import type { SessionId } from "../../shared/ids.ts";
import { holdSeat } from "../node/room-internals.ts";
import { GameRoom } from "../rooms/game-room.ts";

/** Holds a seat for that player, if the room expects them back. */
export async function holdExpected(room: Room, sessionId: SessionId): Promise<void> {
  if (!(room instanceof GameRoom) || !room.expects(sessionId)) return;
  const player = room.players.get(sessionId);
  if (!player) return;
  const { options, auth } = player;
  await holdSeat(room, { sessionId, options, auth }, room.reconnectGraceMs);
}
