/** What the states of a node's games are made of, for whoever asks whether another node can go on with its rooms. */
import { GameName } from "../../shared/ids.ts";
import { isGameRoom } from "../rooms/define-game.ts";
import { type StateClass, schemaHash } from "../rooms/snapshot-schema.ts";
import type { Games } from "./colyseus.ts";

/** By game: the hash of its state's classes. Plain Colyseus games have none: nobody goes on with their rooms. */
export function gameStatesOf(games: Games): Record<GameName, string> {
  const states: Record<GameName, string> = {};
  for (const [name, roomClass] of games) {
    if (isGameRoom(roomClass)) states[GameName.parse(name)] = schemaHash(roomClass.State);
  }
  return states;
}

/** Undefined where rooms of it can't be restored, or there is no such game. */
export function stateOf(games: Games, game: GameName): StateClass | undefined {
  const roomClass = games.get(game);
  return roomClass && isGameRoom(roomClass) ? roomClass.State : undefined;
}
