/**
 * Registers a game's room class. What could not be restored by a standby, or takes a hook that belongs
 * to `GameRoom`, is refused here, at start-up and by name, not when a region dies.
 *
 * A plain Colyseus room is taken as it is: it runs unchanged, and ends with its node.
 */
import type { Room } from "@colyseus/core";
import { GameRoom } from "./game-room.ts";
import { RoomStateError } from "./room-error.ts";
import { defaultRoomServices } from "./room-services.ts";
import { checkRestorable } from "./snapshot-check.ts";

type RoomClass = new (...args: never[]) => Room;

const OWN_HOOKS = [
  "onCreate",
  "onJoin",
  "onDrop",
  "onReconnect",
  "onLeave",
  "onDispose",
  "onUncaughtException",
  "disconnect",
  "setSerializer",
  "grantEpoch",
] as const;

/** @throws {RoomStateError} `unrestorable_state`, with one line in `problems` for each reason */
export function defineGame(
  name: string,
  roomClass: RoomClass,
  services = defaultRoomServices,
): void {
  if (!isGameRoom(roomClass)) return;
  const taken = OWN_HOOKS.filter((hook) => {
    return Reflect.get(roomClass.prototype, hook) !== Reflect.get(GameRoom.prototype, hook);
  });
  if (taken.length > 0) {
    const problems = taken.map((hook) => `${roomClass.name}.${hook}: belongs to GameRoom`);
    const message = `the game ${name} can't be registered:\n- ${problems.join("\n- ")}`;
    throw new RoomStateError("unrestorable_state", message, { problems });
  }
  if (!roomClass.State) {
    const problems = [`${roomClass.name}: has no \`static State\``];
    throw new RoomStateError("unrestorable_state", problems.join(), { problems });
  }
  checkRestorable(roomClass.State);
  roomClass.services = services;
}

export function isGameRoom(roomClass: RoomClass): roomClass is RoomClass & typeof GameRoom {
  return roomClass.prototype instanceof GameRoom;
}
