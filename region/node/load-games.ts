/**
 * Loads the games that this node is to run from `region/games/games.ts`: behind the decorators hook,
 * and therefore by a dynamic import.
 */
import type { Games } from "./colyseus.ts";
import { registerDecoratorsHook } from "./decorators-hook.ts";
import type { RoomClass } from "./room-guard.ts";

/** @throws when a name is not in the table of games */
export async function loadGames(names: readonly string[]): Promise<Games> {
  registerDecoratorsHook();
  const { games } = await import("../games/games.ts");
  return chooseGames(games, names);
}

export function chooseGames(
  all: Readonly<Record<string, RoomClass>>,
  names: readonly string[],
): Games {
  const chosen = new Map<string, RoomClass>();
  for (const name of names) {
    const roomClass = Object.hasOwn(all, name) ? all[name] : undefined;
    if (!roomClass) {
      const known = Object.keys(all).join(", ") || "none";
      throw new Error(`GAMES names ${name}, but region/games/games.ts has: ${known}`);
    }
    chosen.set(name, roomClass);
  }
  return chosen;
}
