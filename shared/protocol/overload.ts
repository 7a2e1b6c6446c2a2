/**
 * What a node has given up because it has too much to do: the ladder of its overload gate. Each level has
 * what those before it have, too.
 */
import { z } from "zod";

export const OverloadLevel = z.enum([
  "calm",
  /** Rooms send fewer patches. */
  "slow_patches",
  /** Whoever comes finds a place in a room that there is, or none. */
  "no_rooms",
  /** Nobody new at all. Holders of tickets and returning players are let in, as ever. */
  "no_seats",
  /** Spectators are sent away, then idle rooms end. */
  "shed",
]);
export type OverloadLevel = z.infer<typeof OverloadLevel>;

/** Whether a node at that level has given up what `rung` stands for. */
export function reaches(level: OverloadLevel, rung: OverloadLevel): boolean {
  return heightOf(level) >= heightOf(rung);
}

/** 0 for `calm`. */
export function heightOf(level: OverloadLevel): number {
  return OverloadLevel.options.indexOf(level);
}
