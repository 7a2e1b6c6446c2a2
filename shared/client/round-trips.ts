/**
 * Measures the round trip to the regions, from here, now: several at a time, the best ranked first, all
 * within one deadline. The median of a beacon's samples counts; of an even number the lower, since noise
 * only ever adds.
 *
 * So that regions are compared like with like, each is measured the same way: over its websocket beacon,
 * which is how play travels; where that fails or is silent, as behind proxies that block it, over its
 * HTTP beacon. A program that also draws a page asks both of every region from the start, and the smaller
 * counts: its thread sees an echo only after the frame it is drawing (with 40 ms of drawing, regions at 5
 * and at 30 ms both came out at 42), while of an HTTP answer the platform tells when it came (8 and 33).
 */
import { type Clock, sleep } from "../clock.ts";
import type { RegionId } from "../ids.ts";
import type { RegionInfo } from "../protocol/join.ts";
import type { Fetch } from "./api.ts";
import { measurePings } from "./http-beacon.ts";
import { measureEchoes, type OpenSocket, withoutWarmUp } from "./websocket-beacon.ts";

export const DEADLINE_MS = 1_500;
/** How long a websocket may be silent before HTTP is asked besides. */
export const SILENCE_MS = 500;
/** Measured side by side; and all there is to measure, where one of them is near. */
export const AT_ONCE = 16;
/** As many as a topology has. */
const REGIONS_MAX = 64;
/** Of a region so near, those ranked far behind need not be asked whether they are nearer still. */
const NEAR_MS = 80;

export interface Measuring {
  readonly fetch: Fetch;
  /** None where the platform has no websockets. */
  readonly openSocket: OpenSocket | undefined;
  /** Whether this thread also draws a page. */
  readonly draws: boolean;
  /** Whether the regions' addresses are spoken to over TLS, as the core's. */
  readonly secure: boolean;
  readonly clock: Clock;
}

export interface Measured {
  /** By region. */
  readonly roundTripsMs: Readonly<Record<string, number>>;
  /** Asked in good time, and not heard of within it. */
  readonly unanswered: readonly RegionId[];
}

interface Beacon {
  readonly regionId: RegionId;
  readonly publicAddress: string;
}

/**
 * @param regions in the order in which a join would try them: the first `AT_ONCE` are asked, the others
 * only while none near is found
 * @returns within `DEADLINE_MS`; never rejects
 */
export async function measureRoundTrips(
  regions: readonly RegionInfo[],
  measuring: Measuring,
): Promise<Measured> {
  const beacons = regions.flatMap(beaconOf).slice(0, REGIONS_MAX);
  const late = new AbortController();
  const cancel = measuring.clock.after(DEADLINE_MS, () => late.abort());
  const roundTripsMs: Record<string, number> = {};
  const waiting = beacons.slice(AT_ONCE);
  let nearestMs = Number.POSITIVE_INFINITY;

  async function measure({ regionId, publicAddress }: Beacon): Promise<void> {
    const tripMs = await measureOne(publicAddress, measuring, late.signal);
    nearestMs = Math.min(nearestMs, tripMs);
    if (Number.isFinite(tripMs)) roundTripsMs[regionId] = tripMs;
    const next = nearestMs > NEAR_MS && !late.signal.aborted ? waiting.shift() : undefined;
    if (next) await measure(next);
  }

  const first = beacons.slice(0, AT_ONCE);
  await Promise.all(first.map(measure));
  cancel();
  // Whoever was asked later had less time: their silence says nothing.
  const silent = first.filter(({ regionId }) => !Object.hasOwn(roundTripsMs, regionId));
  return { roundTripsMs, unanswered: silent.map(({ regionId }) => regionId) };
}

/** None of an address that no URL can hold: one region's mistake must not end the measuring of all. */
function beaconOf({ regionId, publicAddress }: RegionInfo): Beacon[] {
  const askable = publicAddress !== null && URL.canParse(beaconUrl("http", publicAddress));
  return askable ? [{ regionId, publicAddress }] : [];
}

function beaconUrl(scheme: string, address: string): string {
  return `${scheme}://${address}/ping`;
}

/** @returns ms; infinite without an answer */
async function measureOne(
  address: string,
  { fetch, openSocket, draws, secure, clock }: Measuring,
  signal: AbortSignal,
): Promise<number> {
  const url = (scheme: string) => beaconUrl(`${scheme}${secure ? "s" : ""}`, address);
  const echoesMs: number[] = [];
  const echoed = new AbortController();
  const blocked = new AbortController();
  signal.addEventListener("abort", () => blocked.abort(), { once: true });
  const silence = () => sleep(clock, SILENCE_MS, echoed.signal);

  async function overSocket(): Promise<void> {
    const echoing = openSocket && { open: openSocket, clock, signal: blocked.signal };
    if (echoing) await measureEchoes(url("ws"), echoing, echoesMs);
    echoed.abort();
  }

  async function overHttp(): Promise<readonly number[]> {
    if (!draws) await silence();
    if ((!draws && echoesMs.length > 0) || signal.aborted) return [];
    const pingsMs = await measurePings(url("http"), { fetch, clock, signal });
    if (draws) await silence();
    // Something on the way swallows websockets: no reason to wait for this one until the deadline.
    if (pingsMs.length > 0 && echoesMs.length === 0) blocked.abort();
    return pingsMs;
  }

  const [pingsMs] = await Promise.all([overHttp(), overSocket()]);
  return Math.min(median(pingsMs), median(withoutWarmUp(echoesMs)));
}

/** @returns infinite of no samples */
function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.POSITIVE_INFINITY;
}
