/** The status that operators see, from the registry's state. Pure. */
import type { z } from "zod";
import type { NodeStatus, RegionStatus } from "../../shared/protocol/ops.ts";
import { seatLimitFor } from "../capacity/seat-limits.ts";
import { neighboursOf } from "../regions/neighbours.ts";
import { offeredSeats, overloadOf, regionStateOf, wantedOf } from "../regions/region-view.ts";
import type { NodeRecord, RegionRecord } from "../regions/registry-step.ts";

export interface RegionStatusOptions {
  /** All of them. */
  readonly regions: readonly RegionRecord[];
  /** Players in its queue. */
  readonly waiting: number;
  /** Monotonic. */
  readonly nowMs: number;
}

export function regionStatus(
  region: RegionRecord,
  { regions, waiting, nowMs }: RegionStatusOptions,
): z.infer<typeof RegionStatus> {
  const nodes = [...region.nodes.values()].sort((a, b) => a.incarnation - b.incarnation);
  return {
    regionId: region.spec.id,
    name: region.spec.name,
    state: regionStateOf(region),
    regionEpoch: region.epoch,
    waiting,
    nodes: nodes.map((node) => nodeStatus(node, region, nowMs)),
    neighbours: neighboursOf(region, regions),
  };
}

/** Players in rooms of all live nodes. */
export function playersOnline(regions: readonly RegionRecord[]): number {
  return regions
    .flatMap((region) => [...region.nodes.values()])
    .filter((node) => node.alive)
    .reduce((sum, node) => sum + node.heartbeat.connected, 0);
}

function stateOf({ alive, health }: NodeRecord, open: boolean) {
  if (health === "isolated") return health;
  if (!alive) return "down";
  if (health === "suspect") return health;
  return open ? "active" : "draining";
}

export function limitOf(
  { heartbeat }: NodeRecord,
  { limits }: RegionRecord,
): z.infer<typeof NodeStatus>["limit"] {
  const limit = seatLimitFor(limits, heartbeat.build);
  if (!limit) return "none";
  return limit.measured ? "measured" : "unmeasured_build";
}

function nodeStatus(
  node: NodeRecord,
  region: RegionRecord,
  nowMs: number,
): z.infer<typeof NodeStatus> {
  const { heartbeat } = node;
  const open = heartbeat.state === "active" && wantedOf(region) === "active";
  return {
    nodeId: node.nodeId,
    nodeAddress: heartbeat.nodeAddress,
    state: stateOf(node, open),
    heartbeatAgeMs: Math.round(nowMs - node.receivedMs),
    connected: heartbeat.connected,
    reserved: heartbeat.reserved,
    capacity: heartbeat.capacity,
    offered: offeredSeats(region, node),
    limit: limitOf(node, region),
    rooms: heartbeat.rooms,
    eventLoopDelayP99Ms: heartbeat.load.eventLoopDelayP99Ms,
    overload: overloadOf(node),
    redis: heartbeat.redis,
    outbox: heartbeat.outbox ?? { items: 0, bytes: 0, ageMs: 0 },
    replication: heartbeat.replication ?? null,
    build: heartbeat.build,
  };
}
