/** The keys of a region's own Redis, all built here. */
import type { RegionId } from "../../shared/ids.ts";

/** Counts the lives of the region's nodes. */
export function incarnationKey(regionId: RegionId): string {
  return `meridian:${regionId}:incarnation`;
}

/** Before every key and channel that game code and rooms' listings have in common with other nodes. */
export function sharedPrefix(regionId: RegionId): string {
  return `meridian:${regionId}:shared:`;
}

/** Under `sharedPrefix`: is there while that process says that it lives. */
export function aliveKey(processId: string): string {
  return `alive:${processId}`;
}
