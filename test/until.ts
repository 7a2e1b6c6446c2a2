/** Waiting in tests: for a condition, never for a guessed time. */
import { sleep, systemClock } from "../shared/clock.ts";

const POLL_MS = 10;
const WITHIN_MS = 15_000;

/**
 * Answers the first truthy value of `probe`.
 * @throws naming `what` when there was none in time
 */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  withinMs = WITHIN_MS,
): Promise<Exclude<T, false | null | undefined | 0 | "">> {
  const beganMs = systemClock.monotonicMs();
  for (;;) {
    const value = await probe();
    if (value) return value as Exclude<T, false | null | undefined | 0 | "">;
    if (systemClock.monotonicMs() - beganMs > withinMs) {
      throw new Error(`waited ${withinMs} ms in vain: ${what}`);
    }
    await sleep(systemClock, POLL_MS);
  }
}
