/** When players are served again: somebody new logs in and is given a seat, and an operation on money is committed. */
import { sleep, systemClock } from "../../../shared/clock.ts";
import type { Traders } from "../../../test/faults/value/traders.ts";

const ATTEMPT_PERIOD_MS = 100;
const ATTEMPT_MS = 3_000;
const WITHIN_MS = 120_000;
/** What was on its way when the blow fell has arrived by then. */
const UNDER_WAY_MS = 100;

export interface Blow {
  /** The core's. */
  readonly url: string;
  readonly traders: Traders;
  /** Monotonic ms. */
  readonly beganMs: number;
  readonly signal: AbortSignal;
}

/** @returns ms from the blow. @throws when nobody is served for two minutes */
export async function servedAgain(blow: Blow): Promise<number> {
  const done = new AbortController();
  const signal = AbortSignal.any([blow.signal, done.signal, AbortSignal.timeout(WITHIN_MS)]);
  try {
    const served = await Promise.all([joined(blow, signal), committed(blow, signal)]);
    return Math.max(...served) - blow.beganMs;
  } finally {
    done.abort();
  }
}

/** Attempts begin one after the other, whether or not those before are answered: one may hang where others don't. */
async function joined({ url }: Blow, signal: AbortSignal): Promise<number> {
  let servedMs: number | undefined;
  while (servedMs === undefined) {
    void attempt(url, signal).then((hasSeat) => {
      if (hasSeat) servedMs ??= systemClock.monotonicMs();
    });
    await sleep(systemClock, ATTEMPT_PERIOD_MS, signal);
    signal.throwIfAborted();
  }
  return servedMs;
}

async function attempt(url: string, aborted: AbortSignal): Promise<boolean> {
  const signal = AbortSignal.any([aborted, AbortSignal.timeout(ATTEMPT_MS)]);
  const post = async (path: string, body: object, token?: string) => {
    const answer = await fetch(`${url}${path}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(token && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
      signal,
    });
    const text = await answer.text();
    return answer.ok ? JSON.parse(text) : undefined;
  };
  try {
    const guest = await post("/v1/guests", { name: "New" });
    if (!guest) return false;
    const outcome = await post("/v1/join", { game: "arena", protocol: 1 }, guest.accessToken);
    return outcome?.ticket !== undefined;
  } catch {
    // Refused, cut or not answered: the next attempt is under way already.
    return false;
  }
}

async function committed({ traders, beganMs }: Blow, signal: AbortSignal): Promise<number> {
  await sleep(systemClock, UNDER_WAY_MS - (systemClock.monotonicMs() - beganMs), signal);
  const before = traders.records.told;
  while (traders.records.told === before) {
    await sleep(systemClock, 10, signal);
    signal.throwIfAborted();
  }
  return systemClock.monotonicMs();
}
