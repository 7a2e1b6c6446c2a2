/** The games that a node can run, by name. `npm run new -- NAME` makes one and adds its lines. */
import type { Room } from "@colyseus/core";
import { Arena } from "./arena/arena-room.ts";

export const games: Record<string, new () => Room> = {
  arena: Arena,
};
