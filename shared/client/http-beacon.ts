/**
 * Round trips over a region's HTTP beacon, an empty `GET /ping`. The first answer pays for the
 * connection and does not count, as far as this program's own clock is asked.
 *
 * Where the platform tells when a request left and its answer began (Resource Timing, in browsers and
 * Node), that counts instead: on a page that is busy drawing, a promise is resolved up to 40 ms after
 * the answer.
 */
import type { Clock } from "../clock.ts";
import type { Fetch } from "./api.ts";

const SAMPLES = 3;
/** Once samples took so long in all, there are enough: of a far region fewer tell as much. */
const ENOUGH_MS = 400;

export interface Pinging {
  readonly fetch: Fetch;
  readonly clock: Clock;
  /** Ends it, with what was measured before. */
  readonly signal: AbortSignal;
}

/**
 * @param url of the beacon, such as `https://play.example.com/ping`
 * @returns ms; none for a beacon that did not answer. Never rejects
 */
export async function measurePings(url: string, pinging: Pinging): Promise<readonly number[]> {
  const networkTimes = watchNetworkTimes(url);
  const seenMs = await pings(url, pinging);
  const networkMs = networkTimes();
  // Whoever answered something else than a beacon does was as quick, but is none.
  if (seenMs.length === 0) return [];
  return networkMs.length > 0 ? networkMs : seenMs.slice(1);
}

/** @returns ms of each answer, the first with its connection */
async function pings(url: string, { fetch, clock, signal }: Pinging): Promise<number[]> {
  const samplesMs: number[] = [];
  let spentMs = 0;
  try {
    for (let sample = 0; sample <= SAMPLES && spentMs <= ENOUGH_MS; sample += 1) {
      const startedMs = clock.monotonicMs();
      const response = await fetch(url, { method: "GET", cache: "no-store", signal });
      // A beacon says nothing; of whoever does, none is waited for, not even where it never ends.
      response.body?.cancel().catch(() => undefined);
      if (!response.ok) return [];
      const sampleMs = clock.monotonicMs() - startedMs;
      samplesMs.push(sampleMs);
      if (sample > 0) spentMs += sampleMs;
    }
  } catch {
    // Out of time, or out of reach: what was measured before counts.
  }
  return samplesMs;
}

/** @returns ends the watch; answers the ms from request to answer of all requests of that URL since */
function watchNetworkTimes(url: string): () => number[] {
  // Not every platform of games has it; then the program's own clock has to do.
  if (!("PerformanceObserver" in globalThis)) return () => [];
  // As the platform names it: without the port where that is the scheme's own.
  const { href } = new URL(url);
  const entries: PerformanceEntry[] = [];
  const observer = new PerformanceObserver((list) => entries.push(...list.getEntries()));
  observer.observe({ type: "resource" });
  return () => {
    entries.push(...observer.takeRecords());
    observer.disconnect();
    return (entries as PerformanceResourceTiming[]).flatMap((entry) => {
      const { name, requestStart, responseStart } = entry;
      // Zero where the server does not allow this page to know.
      const told = name === href && requestStart > 0 && responseStart >= requestStart;
      return told ? [responseStart - requestStart] : [];
    });
  };
}
