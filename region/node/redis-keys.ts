/** The keys of a region's own Redis, all built here. */
import type { RegionId } from "../../shared/ids.ts";

/** Counts the lives of the region's nodes. */
export function incarnationKey(regionId: RegionId): string {
  return `meridian:${regionId}:incarnation`;
}
