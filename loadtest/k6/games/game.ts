/**
 * What the scripts must know of a game to play it, and to tell whether what arrives is right. A game of one's own has
 * a file like `arena.ts`, and a line in `games.ts`.
 */
import type { Schema } from "@colyseus/schema";
import type { FailureKind } from "../engine/metrics.ts";

export interface Game {
  /** How often a player sends an input, ms. */
  readonly lookEveryMs: number;
  /** The balance that a message of the room says the player has for good; undefined for any other message. */
  balanceIn(type: string | number, payload: unknown): Owed | undefined;
  /** One player's stay in one room. */
  begin(sessionId: string, random: () => number): GamePlay;
}

/** A rule that is broken, and how. */
export interface Violation {
  readonly kind: Extract<FailureKind, "wrong_state" | "too_fast" | "clock">;
  readonly words: string;
}

export interface Message {
  readonly type: string;
  readonly payload: object;
}

/** So much of a currency, by what the room showed. */
export interface Owed {
  readonly currency: string;
  readonly amount: number;
}

export interface GamePlay {
  /**
   * The next input.
   * @param state undefined for players who don't decode
   * @param input its number: above all before
   */
  look(state: Schema | undefined, input: number): Message;
  /** The number of one's own input that the state shows; undefined while one's own entity is not in it. */
  echoed(state: Schema): number | undefined;
  /** Whether all that can be told from this state, and the ones before, is as it should be. */
  verify(state: Schema, atMs: number): readonly Violation[];
  /** A connection broke: the room may have gone on from a moment before what was seen. */
  broke(): void;
  /** What the core must have once the player has left. */
  owed(): Owed | undefined;
}
