/**
 * `window.arena`: what a test, or a curious player at the console, may ask the page.
 *
 *     arena.steer(1, 0)   // run to the right, whatever the hands do
 *     arena.steer()       // and give the player back to them
 *     arena.me            // { name, x, y, carried, score } as shown, or null
 */
import type { Connection } from "../../../../shared/client/connection.ts";

/** A player as shown at this moment, in the ground's units. */
export interface ShownPlayer {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly carried: number;
  readonly score: number;
  readonly connected: boolean;
}

export interface ArenaHooks {
  readonly connection: Connection;
  /** The sentence on the screen. */
  readonly words: string;
  readonly regionId: string | null;
  readonly roomId: string | null;
  readonly sessionId: string | null;
  readonly me: ShownPlayer | null;
  readonly others: readonly ShownPlayer[];
  readonly coins: number;
  /** What the core says the player owns, as last told. */
  readonly owned: { readonly coins: number; readonly gems: number } | null;
  /** What happened to regions, in words; the oldest first. */
  readonly story: readonly string[];
  /** As last measured, ms by region. */
  readonly roundTripsMs: Readonly<Record<string, number>>;
  /** States that have come from the room since the page was opened. */
  readonly states: number;
  /** Pushes that way, at most as long as 1, until called again; without arguments not at all. */
  steer(x?: number, y?: number): void;
}

declare global {
  interface Window {
    arena?: ArenaHooks;
  }
}
