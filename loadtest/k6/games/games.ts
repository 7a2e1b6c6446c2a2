/** The games that the scripts can play, by the name that `GAME` or `RULES` gives. */
import { arena } from "./arena.ts";
import type { Game } from "./game.ts";

const games: Readonly<Record<string, Game>> = { arena };

/** @throws which games there are, when it is none of them */
export function gameNamed(name: string): Game {
  const game = games[name];
  if (game) return game;
  throw new Error(`"${name}" is none of ${Object.keys(games).join(", ")}: see games/games.ts`);
}
