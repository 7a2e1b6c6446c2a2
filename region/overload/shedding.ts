/**
 * Whom a node that has far too much to do ends: spectators first, then rooms that nobody is in. Never a
 * player, nor anyone who has a seat that waits, whether by a ticket or after a drop.
 */
import { ClientState, type Room } from "@colyseus/core";
import { hasSeats, isDisposing } from "../node/room-internals.ts";
import { asError } from "../rooms/captured-room.ts";
import { GameRoom } from "../rooms/game-room.ts";
import type { Player } from "../rooms/player.ts";
import { RoomClient } from "../transport/room-client.ts";

export interface Spectator {
  readonly room: Room;
  readonly player: Player;
  /** When anything came from the spectator last, monotonic. */
  readonly heardAtMs: number;
}

/** Those who are connected, the longest idle first. */
export function spectatorsOf(rooms: readonly Room[]): Spectator[] {
  const found: Spectator[] = [];
  for (const room of rooms) {
    if (!(room instanceof GameRoom)) continue;
    for (const player of room.players.values()) {
      const { client } = player;
      // One who is on the way in has a ticket, and comes first.
      if (!(client instanceof RoomClient) || client.state !== ClientState.JOINED) continue;
      if (isSpectator(room, player)) found.push({ room, player, heardAtMs: client.heardAtMs });
    }
  }
  return found.sort((a, b) => a.heardAtMs - b.heardAtMs);
}

/** A room that keeps itself alive with nobody in it and nobody on the way to it. */
export function isIdle(room: Room): boolean {
  if (room.autoDispose || isDisposing(room) || hasSeats(room)) return false;
  // Who is expected after a restore, or away, is in the room without a seat of Colyseus'.
  return !(room instanceof GameRoom && room.players.size > 0);
}

/** Game code, which may fail: then the player is a player. */
function isSpectator(room: GameRoom, player: Player): boolean {
  try {
    return room.isSpectator(player) === true;
  } catch (error) {
    room.onUncaughtException(asError(error), "isSpectator");
    return false;
  }
}
