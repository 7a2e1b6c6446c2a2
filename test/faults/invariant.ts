/** What must hold whatever fails, and how a campaign waits for it: with a bound, never for good. */
import { sleep, systemClock } from "../../shared/clock.ts";

export const INVARIANTS = {
  "plays-again": "every player plays again, elsewhere if need be",
  told: "whoever lost their region was told so",
  undisturbed: "whose region was not touched plays on",
  "core-knows": "the core lists a region that is gone as down, and one that is back as active",
  "one-session": "as many players are in rooms as there are: nobody twice, nobody left over",
  "core-serves": "the core serves again, and is whole again after that",
  value: "what a player was told is done is done, once, and the books are right",
  saved: "what a player was told is saved is there, once, and the rest is accounted for",
  drains: "a process that is told to end drains, and ends by itself",
} as const;
export type Invariant = keyof typeof INVARIANTS;

/** An invariant did not hold. */
export class Violation extends Error {
  readonly invariant: Invariant;

  constructor(invariant: Invariant, what: string) {
    super(`${invariant} (${INVARIANTS[invariant]}): ${what}`);
    this.name = "Violation";
    this.invariant = invariant;
  }
}

const POLL_MS = 25;

export interface Condition {
  /** The one that is broken when it does not come about. */
  readonly invariant: Invariant;
  /** What is wrong now; undefined when nothing is. */
  readonly wrong: () => string | undefined | Promise<string | undefined>;
  readonly withinMs: number;
  /** How long it must hold without a break; a single look by default. */
  readonly forMs?: number;
}

/**
 * Waits until nothing is wrong any more.
 * @throws {Violation} with what was wrong last
 */
export async function waitUntil(condition: Condition): Promise<void> {
  const { invariant, wrong, withinMs, forMs = 0 } = condition;
  const beganMs = systemClock.monotonicMs();
  let rightSinceMs: number | undefined;
  for (;;) {
    const problem = await wrong();
    const nowMs = systemClock.monotonicMs();
    if (problem !== undefined) rightSinceMs = undefined;
    else rightSinceMs ??= nowMs;
    if (rightSinceMs !== undefined && nowMs - rightSinceMs >= forMs) return;
    if (nowMs - beganMs > withinMs + forMs) {
      throw new Violation(invariant, `${problem ?? "it does not last"}, for ${withinMs} ms`);
    }
    await sleep(systemClock, POLL_MS);
  }
}
