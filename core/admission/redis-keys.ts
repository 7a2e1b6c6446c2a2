/** The keys of the core's own Redis, all built here; its user there reaches nothing else. */
import type { RegionId } from "../../shared/ids.ts";

/** A hash of everybody who waits: by leader, what the token of the place says. */
export const QUEUE_KEY = "meridian:core:queue";

/** Says that this Redis has held the whole queue, since when, and how far. */
export const QUEUE_MARKER_KEY = "meridian:core:queue-held";

/** A sorted set of the seats that are being taken: by id, when each lapses. */
export function seatHoldsKey(regionId: RegionId): string {
  return `meridian:core:seats:${regionId}`;
}
