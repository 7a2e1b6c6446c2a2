/** The table of games of a world under test, in place of region/games/games.ts: `GAMES_FILE`. */
import type { Room } from "@colyseus/core";
import { games as all } from "../../../region/games/games.ts";
import { Treasury } from "./treasury-room.ts";

export const games: Record<string, new () => Room> = { ...all, treasury: Treasury };
