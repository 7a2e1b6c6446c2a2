/** The keys of a region's own Redis, all built here. */
import type { NodeId, RegionId } from "../../shared/ids.ts";
import type { ProducerId } from "../../shared/protocol/player-state.ts";

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

/** The ids of the region's producers, of living nodes and of dead ones. */
export function outboxesKey(regionId: RegionId): string {
  return `meridian:${regionId}:outboxes`;
}

/** A producer's stream. */
export function outboxKey(regionId: RegionId, producerId: ProducerId): string {
  return `meridian:${regionId}:outbox:${producerId}`;
}

/** Is there while a node sends a dead one's stream on. */
export function takeOverKey(regionId: RegionId, producerId: ProducerId): string {
  return `meridian:${regionId}:take-over:${producerId}`;
}

/**
 * Is there while that node writes its outbox. Shorter-lived than `aliveKey`: its streams must be sent on before
 * the core lets the next owners of its players in, and that it was wrong does no harm.
 */
export function outboxAliveKey(regionId: RegionId, nodeId: NodeId): string {
  return `meridian:${regionId}:outbox-alive:${nodeId}`;
}
