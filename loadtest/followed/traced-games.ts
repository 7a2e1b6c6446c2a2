/** The table of games of a world whose players are followed, in place of region/games/games.ts: `GAMES_FILE`. */
import type { Room } from "@colyseus/core";
import { Treasury } from "../../test/faults/value/treasury-room.ts";
import { TracedArena } from "./traced-arena.ts";

export const games: Record<string, new () => Room> = { arena: TracedArena, treasury: Treasury };
