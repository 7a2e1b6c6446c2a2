/**
 * Registers a game's room class. What could not be restored by a standby, or takes a hook that belongs
 * to `GameRoom`, is refused here, at start-up and by name, not when a region dies.
 *
 * A plain Colyseus room is taken as it is: it runs unchanged, and ends with its node.
 */
import type { Room } from "@colyseus/core";
import { Schema } from "@colyseus/schema";
import { GameRoom } from "./game-room.ts";
import { RoomStateError } from "./room-error.ts";
import { defaultRoomServices } from "./room-services.ts";
import { checkRestorable } from "./snapshot-check.ts";
import { collectionProblems } from "./state-collections.ts";

type RoomClass = new (...args: never[]) => Room;

/** What belongs to `GameRoom`, and what a game writes instead. */
const OWN_HOOKS = {
  onCreate: "onSetup(options)",
  onJoin: "onEnter(player)",
  onDrop: "onAway(player)",
  onReconnect: "onResume(player)",
  onLeave: "onExit(player, reason)",
  onDispose: "onEnd()",
  onUncaughtException: undefined,
  disconnect: undefined,
  setSerializer: undefined,
  grantEpoch: undefined,
} as const;

/** @throws {RoomStateError} `unrestorable_state`, with one line in `problems` for each reason */
export function defineGame(
  name: string,
  roomClass: RoomClass,
  services = defaultRoomServices,
): void {
  if (!isGameRoom(roomClass)) return;
  const problems = [
    ...hookProblems(roomClass),
    ...stateProblems(roomClass),
    ...collectionProblems(roomClass.name, roomClass.collections),
  ];
  if (problems.length > 0) {
    const message = `the game ${name} can't be registered:\n- ${problems.join("\n- ")}`;
    throw new RoomStateError("unrestorable_state", message, { problems });
  }
  checkRestorable(roomClass.State);
  roomClass.services = services;
}

export function isGameRoom(roomClass: RoomClass): roomClass is RoomClass & typeof GameRoom {
  return roomClass.prototype instanceof GameRoom;
}

function hookProblems(roomClass: typeof GameRoom): string[] {
  return Object.entries(OWN_HOOKS)
    .filter(([hook]) => {
      return Reflect.get(roomClass.prototype, hook) !== Reflect.get(GameRoom.prototype, hook);
    })
    .map(([hook, instead]) => {
      const advice = instead ? `write ${instead} instead` : "leave it as it is";
      return `${roomClass.name}.${hook}: belongs to GameRoom; ${advice}`;
    });
}

function stateProblems({ name, State }: typeof GameRoom): string[] {
  const advice = "a class that schema({ … }) of @colyseus/schema makes";
  if (!State) return [`${name}: has no \`static State\`; give it one, ${advice}`];
  const isSchema = typeof State === "function" && State.prototype instanceof Schema;
  if (isSchema) return [];
  const found = typeof State === "function" ? `the class ${State.name}` : `a ${typeof State}`;
  return [`${name}.State: is ${found}, which is no schema; make it ${advice}`];
}
