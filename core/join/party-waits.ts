/**
 * Since when each party has been asking for a region, by the core's own clock: what its members have to bear
 * grows with it. A party that does not ask for `FORGET_MS` begins anew, as do all when the core restarts. One that
 * was given a region and asks again has not lost what it waited: its seat may have been refused.
 */
import { LRUCache } from "lru-cache";
import type { Clock } from "../../shared/clock.ts";
import type { PlayerId } from "../../shared/ids.ts";

const PARTIES_MAX = 10_000;
const FORGET_MS = 60_000;

export class PartyWaits {
  readonly #clock: Clock;
  readonly #since = new LRUCache<string, { readonly firstMs: number; readonly lastMs: number }>({
    max: PARTIES_MAX,
  });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How long they have waited, ms; 0 the first time. */
  ask(members: readonly PlayerId[]): number {
    const key = keyOf(members);
    const nowMs = this.#clock.monotonicMs();
    const known = this.#since.get(key);
    const goesOn = known !== undefined && nowMs - known.lastMs <= FORGET_MS;
    const firstMs = goesOn ? known.firstMs : nowMs;
    this.#since.set(key, { firstMs, lastMs: nowMs });
    return nowMs - firstMs;
  }
}

function keyOf(members: readonly PlayerId[]): string {
  return [...new Set(members)].sort().join(" ");
}
