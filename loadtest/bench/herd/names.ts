/** What the benchmark calls its games. */
import { GAME } from "../rooms/game.ts";

export const HERD_GAME = "idle";
export const RESIDENT_GAME = GAME;
