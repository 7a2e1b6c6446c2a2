/**
 * What a followed player saw, leg by leg: one connection to one node. Kept on the player's side alone, so that it
 * outlives every process of the world.
 *
 * Times are of the wall's clock, ms: players run in several processes of one machine. Ticks are the room's.
 */

/** One look at the room's state. */
export interface Sight {
  readonly atMs: number;
  readonly tick: number;
  /** Round and score as one number, which never falls in a room that forgets nothing. */
  readonly progress: number;
  /** When the player's document was written last, and what of it was told as saved. */
  readonly docTick: number;
  readonly savedTick: number;
}

export interface Leg {
  readonly player: string;
  readonly roomId: string;
  readonly sessionId: string;
  readonly regionId: string;
  readonly nodeId: string;
  /** The connection was there. */
  readonly beganMs: number;
  /** Of the player's own entity; empty until that was seen. */
  readonly entityId: string;
  /** The room's first tick under this owner; 0 until it was seen. */
  readonly bornTick: number;
  /** What the player's document said then. */
  readonly loadedTick: number;
  /** Of the own entity. */
  readonly first: Sight | undefined;
  readonly last: Sight | undefined;
  /** An input of this leg came back in the state. */
  readonly echoedMs: number | undefined;
  /** The newest sights with another progress than the one before them, the oldest first. */
  readonly marks: readonly Sight[];
  /** Undefined while it goes on. */
  readonly end: LegEnd | undefined;
}

/** `broke`: the player comes back. `lost`: the room can't be had back. `left`: it is over, by the player or the server. */
export type LegEnd =
  | { readonly how: "broke" }
  | { readonly how: "lost" | "left"; readonly why: string };

/** A round is worth more than any score in it. */
const ROUND = 0x1_0000;

export function progressOf(round: number, score: number): number {
  return round * ROUND + score;
}

/** The owner of a room under which a leg was: a room may come back to the same node. */
export function ownerOf({ roomId, nodeId, bornTick }: Leg): string {
  return `${roomId} ${nodeId} ${bornTick}`;
}
