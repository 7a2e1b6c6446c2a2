/** The making of a room from a snapshot, under its own id, in this process. */
import { matchMaker } from "@colyseus/core";
import type { Epoch } from "../../shared/epoch.ts";
import { GameRoom } from "./game-room.ts";
import { Restoration } from "./room-restore.ts";
import { type StateClass, stateTypes } from "./snapshot-schema.ts";

export interface RoomToRestore {
  /** What the game is registered under. */
  readonly game: string;
  /** The game's class. */
  readonly roomClass: { readonly State: StateClass };
  readonly roomId: string;
  /** A full frame: of `RoomReplica.snapshot()` or a room's own `snapshot()`. */
  readonly snapshot: Uint8Array;
  /** Of the owner that made it. The core gives nobody the room for a state that a later owner has changed. */
  readonly formerEpoch?: Epoch | undefined;
}

/**
 * The room has its state, players and listing, and waits for `grantEpoch`. Its players come back by a
 * seat under the session id they had; who does not, within the grace, is given up.
 * @throws {RoomStateError} `snapshot_corrupt`, `schema_mismatch` or `limit_exceeded`: no room was made
 */
export async function restoreRoom(room: RoomToRestore): Promise<GameRoom> {
  const { game, roomClass, roomId, snapshot, formerEpoch } = room;
  const { options } = new Restoration(stateTypes(roomClass.State), snapshot, formerEpoch);
  await matchMaker.handleCreateRoom(game, options, undefined, roomId);
  const made = matchMaker.getLocalRoomById(roomId);
  if (!(made instanceof GameRoom)) throw new Error(`${game}: the restored room is gone`);
  return made;
}
