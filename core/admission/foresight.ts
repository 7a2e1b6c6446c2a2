/** What an entry may be told of the time to come: when its turn is, and which other regions are sooner. Pure. */
import type { RegionId } from "../../shared/ids.ts";
import type { Eta, QueueOffer } from "../../shared/protocol/queue.ts";
import type { Entry } from "./place.ts";
import type { RegionQueue } from "./region-queue.ts";

/** Offers that one place has at most. */
const OFFERS_MAX = 3;
/** Another region is worth the way if it takes less than this share of the wait. */
const OFFER_SHARE = 0.7;

type Queues = ReadonlyMap<RegionId, RegionQueue>;

/** Other regions that would take the entry sooner. @param waitMs where it waits; undefined while nothing can be said */
export function offersOf(
  queues: Queues,
  entry: Entry,
  waitMs: number | undefined,
  nowMs: number,
): QueueOffer[] {
  const offers: QueueOffer[] = [];
  for (const { regionId, addedMs } of entry.others) {
    const queue = queues.get(regionId);
    if (!queue?.holds(entry.size, entry.class)) continue;
    const second = entry.places[1];
    const eta =
      second?.regionId === regionId
        ? queue.eta(second, nowMs)
        : queue.etaOfNew(entry.class, entry.size, nowMs);
    if (!eta || (waitMs !== undefined && eta.ms > waitMs * OFFER_SHARE)) continue;
    offers.push({ regionId, addedMs, eta });
    if (offers.length === OFFERS_MAX) break;
  }
  return offers;
}

/** Whichever of its regions calls it first. */
export function soonest(queues: Queues, { places }: Entry, nowMs: number): Eta | null {
  let soonest: Eta | null = null;
  for (const place of places) {
    const eta = queues.get(place.regionId)?.eta(place, nowMs);
    if (eta && (!soonest || eta.ms < soonest.ms)) soonest = eta;
  }
  return soonest;
}
