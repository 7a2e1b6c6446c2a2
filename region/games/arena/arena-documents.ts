/**
 * What the arena keeps of each player over rooms, as documents (class B): what they carry, and what they
 * have done. They are written behind, and may be newer than a room that was restored to a moment before. So
 * whatever is counted says what it was counted for, and is not counted again.
 */
import { z } from "zod";
import { isFailure } from "../../../shared/errors.ts";
import type { PlayerState } from "../../rooms/player-state.ts";
import type { Collections } from "../../rooms/state-collections.ts";

const count = z.int().nonnegative().catch(0);

/** What is carried in a round. In any other round, and any other room, it is void. */
export const Purse = z.object({ round: z.string().catch(""), carried: count });
export type Purse = z.infer<typeof Purse>;

export const Stats = z.object({
  /** Played to their end. */
  rounds: count,
  wins: count,
  /** Coins brought to a bank. */
  banked: count,
  /** Gems found; some may have been sold since. */
  gems: count,
  /** The stay that was counted last, such as `ROOM/round-7:SESSION`. */
  counted: z.string().catch(""),
  /** The gem that was counted last, by its place among its room's operations. */
  lastGem: z.object({ room: z.string(), opSeq: z.int() }).catch({ room: "", opSeq: 0 }),
});
export type Stats = z.infer<typeof Stats>;

export const collections = {
  purse: { format: 1 },
  stats: { format: 1 },
} as const satisfies Collections;

export const statsOf = (state: PlayerState): Stats => Stats.parse(state.get("stats"));

/** @returns what they carry of that round by their purse */
export function carriedIn(state: PlayerState, round: string): number {
  const purse = Purse.parse(state.get("purse"));
  return purse.round === round ? purse.carried : 0;
}

/** Writes it only where it differs. @returns false when there is no room for it: to be tried again */
export function keepPurse(state: PlayerState, purse: Purse): boolean {
  if (carriedIn(state, purse.round) === purse.carried) return true;
  return written(() => state.set("purse", { ...purse }));
}

export interface Stay {
  /** What it is told apart by: room, round and session. */
  readonly name: string;
  readonly banked: number;
  /** Whether the player was there at the round's end, and won. */
  readonly finished: boolean;
  readonly won: boolean;
}

/** Counts a player's stay in a round, once. */
export function countStay(state: PlayerState, { name, banked, finished, won }: Stay): void {
  const stats = statsOf(state);
  if (stats.counted === name) return;
  written(() => {
    state.set("stats", {
      rounds: stats.rounds + Number(finished),
      wins: stats.wins + Number(won),
      banked: stats.banked + banked,
      counted: name,
    });
  });
}

/** Counts a gem, once: a restored room hears again of what was granted after its snapshot. */
export function countGem(state: PlayerState, room: string, opSeq: number): void {
  const { gems, lastGem } = statsOf(state);
  if (lastGem.room === room && lastGem.opSeq >= opSeq) return;
  written(() => state.set("stats", { gems: gems + 1, lastGem: { room, opSeq } }));
}

/** Progress that can't be stored now is not counted, which is no reason to stop the game. */
function written(write: () => void): boolean {
  try {
    write();
    return true;
  } catch (error) {
    if (isFailure(error, "outbox_full") || isFailure(error, "session_taken_over")) return false;
    throw error;
  }
}
