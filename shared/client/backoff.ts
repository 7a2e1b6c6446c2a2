/**
 * How long to wait before trying again. Full jitter (the AWS architecture blog's "Exponential backoff
 * and jitter"): any moment between none and an exponentially growing bound, so that players who lost
 * the same region don't come back in step.
 */
import { type Clock, sleep } from "../clock.ts";
import { isFailure } from "../errors.ts";

export interface Backoff {
  /** The bound of the first wait, ms; each further one doubles. */
  readonly firstMs: number;
  readonly mostMs: number;
}

/**
 * @param attempt how many tries have failed, from 1
 * @param dice a random number from 0 to 1 (exclusive)
 * @param retryAfterMs what the server asked for: the least, on top of which the jitter comes
 */
export function backoffMs(
  attempt: number,
  { firstMs, mostMs }: Backoff,
  dice: number,
  retryAfterMs = 0,
): number {
  return retryAfterMs + dice * Math.min(mostMs, firstMs * 2 ** Math.min(attempt - 1, 30));
}

export interface RetryBudget {
  readonly attemptsMax: number;
  readonly totalMs: number;
}

/** Calls until it succeeds, fails for good, or the budget is spent; throws the last failure then. */
export async function retrying<T>(
  call: () => Promise<T>,
  { attemptsMax, totalMs }: RetryBudget,
  { clock, random }: { readonly clock: Clock; readonly random: () => number },
): Promise<T> {
  const giveUpAtMs = clock.monotonicMs() + totalMs;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      if (!isFailure(error) || !error.retryable || attempt >= attemptsMax) throw error;
      const waitMs = backoffMs(attempt, RETRY, random(), error.retryAfterMs);
      if (clock.monotonicMs() + waitMs > giveUpAtMs) throw error;
      await sleep(clock, waitMs);
    }
  }
}

const RETRY: Backoff = { firstMs: 500, mostMs: 5_000 };
