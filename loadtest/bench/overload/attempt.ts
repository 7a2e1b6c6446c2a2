/** What became of one player's wish to play, as the player saw it. Times are of the generator's monotonic clock, ms. */

export type End =
  /** In the queue still, or without an answer. */
  | "under way"
  /** Told to wait, and gave up when the phase was over. */
  | "gave up"
  /** Never let in: the kind of the last refusal. */
  | `refused: ${string}`
  /** Let in, and no state came. */
  | `shut out: ${string}`
  /** Was in, and was thrown out. */
  | `thrown out: ${string}`
  /** In for as long as wished. */
  | "stayed";

/** What an answer said of the place in the queue. */
export interface Told {
  /** When the poll was sent, and its answer came. */
  readonly askedAtMs: number;
  readonly atMs: number;
  readonly called: boolean;
  readonly position: number;
  /** How long it would take still. */
  readonly etaMs: number | null;
}

export interface Attempt {
  readonly sentAtMs: number;
  /** The place's number in the queue; of those who needed none, what it would have been. */
  number: number;
  /** Whether the seat was there at once. */
  direct: boolean;
  readonly told: Told[];
  /** Refusals that the player was to come back after. */
  refusals: number;
  admittedAtMs: number | undefined;
  enteredAtMs: number | undefined;
  end: End;
}

export const ENTER_MS_MAX = 2_000;
export const STAY_MS = 10_000;

export function newAttempt(sentAtMs: number): Attempt {
  return {
    sentAtMs,
    number: 0,
    direct: true,
    told: [],
    refusals: 0,
    admittedAtMs: undefined,
    enteredAtMs: undefined,
    end: "under way",
  };
}

/** Let in, with the first state soon, and there for as long as wished. */
export function isGood({ admittedAtMs, enteredAtMs, end }: Attempt): boolean {
  if (end !== "stayed" || admittedAtMs === undefined || enteredAtMs === undefined) return false;
  return enteredAtMs - admittedAtMs <= ENTER_MS_MAX;
}
