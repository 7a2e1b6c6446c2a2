/**
 * Measures the round trip to every region, from here, now. Each node answers an empty `GET /ping`; the
 * first answer pays for the connection and does not count, the median of the others does; of an even
 * number the lower, since noise only ever adds. A region
 * that is slow or dead costs at most the deadline, and is simply not in the result.
 *
 * Where the platform tells when a request left and its answer began (Resource Timing, in browsers and
 * Node), that counts: on a page that is busy drawing, a promise is resolved up to 40 ms after the answer.
 */
import type { RegionInfo } from "../protocol/join.ts";
import type { Fetch } from "./api.ts";

const SAMPLES = 3;
const DEADLINE_MS = 1_500;

export interface Measuring {
  readonly fetch: Fetch;
  /** `http:` or `https:`, as the core's. */
  readonly scheme: string;
  /** Ms that never run backwards. */
  readonly nowMs: () => number;
}

/** @returns ms by region */
export async function measureRoundTrips(
  regions: readonly RegionInfo[],
  measuring: Measuring,
): Promise<Record<string, number>> {
  const signal = AbortSignal.timeout(DEADLINE_MS);
  const network = watchNetworkTimes();
  const measured = await Promise.all(
    regions.map(async ({ regionId, publicAddress }) => {
      if (publicAddress === null) return [];
      const url = `${measuring.scheme}//${publicAddress}/ping`;
      const seenMs = await measureOne(url, measuring, signal);
      return seenMs.length === 0 ? [] : [{ regionId, url, seenMs }];
    }),
  );
  const networkMs = network();
  return Object.fromEntries(
    measured.flat().map(({ regionId, url, seenMs }) => {
      return [regionId, median(networkMs.get(url) ?? seenMs)];
    }),
  );
}

async function measureOne(
  url: string,
  { fetch, nowMs }: Measuring,
  signal: AbortSignal,
): Promise<number[]> {
  const samplesMs: number[] = [];
  try {
    for (let sample = 0; sample <= SAMPLES; sample += 1) {
      const startedMs = nowMs();
      const response = await fetch(url, { method: "GET", cache: "no-store", signal });
      if (!response.ok) return [];
      if (sample > 0) samplesMs.push(nowMs() - startedMs);
    }
  } catch {
    // Out of time, or out of reach: what was measured before counts.
  }
  return samplesMs;
}

/** @returns ends the watch; answers the ms from request to answer of all requests since, by URL */
function watchNetworkTimes(): () => ReadonlyMap<string, number[]> {
  const entries: PerformanceEntry[] = [];
  const observer = new PerformanceObserver((list) => entries.push(...list.getEntries()));
  observer.observe({ type: "resource" });
  return () => {
    entries.push(...observer.takeRecords());
    observer.disconnect();
    const byUrl = new Map<string, number[]>();
    for (const entry of entries as PerformanceResourceTiming[]) {
      // Zero where the server does not allow this page to know.
      if (!(entry.requestStart > 0 && entry.responseStart >= entry.requestStart)) continue;
      const times = byUrl.get(entry.name) ?? [];
      times.push(entry.responseStart - entry.requestStart);
      byUrl.set(entry.name, times);
    }
    return byUrl;
  };
}

/** @param samples at least one */
function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] as number;
}
