/**
 * What the core knows of regions and nodes, and how a heartbeat, a moment or an operator changes it.
 * Pure: `(state, event, now) → [state, effects]`.
 *
 * A node is registered by its first heartbeat, is down when none came for `GRACE_MS`, and is up again
 * with the next. What else is known of it is told by the detector as its health: one that it took for down is
 * fenced, and only shown from then on; an isolated one is not forgotten. A newer incarnation at the same address replaces the older one at once, which from
 * then on gets `stale_incarnation`. Siblings of one region have addresses of their own.
 *
 * A room whose node is not known has nobody who could tell of its end. So whenever the nodes of a region
 * change, its open rooms elsewhere than at known nodes end: not before one grace after a start, by when
 * every living node has been heard.
 */
import { compareEpochs, type Epoch } from "../../shared/epoch.ts";
import type { ErrorKind } from "../../shared/errors.ts";
import type { NodeId, RegionId, RoomId } from "../../shared/ids.ts";
import { GRACE_MS, type Heartbeat } from "../../shared/protocol/link.ts";
import { speaks } from "../../shared/protocol/version.ts";
import type { SeatLimits } from "../capacity/seat-limits.ts";
import type { NodeHealth } from "../failover/detector-step.ts";
import type { Wanted } from "./fence-step.ts";
import type { RegionSpec } from "./topology.ts";
import { freshRegion, onTopology, type TopologyEvent } from "./topology-step.ts";

/** Nodes known in one region; past it a new one is refused unless a dead one makes room. */
export const NODES_PER_REGION_MAX = 64;
/** A node that is down is shown to operators for this long, then forgotten. */
export const FORGET_MS = 600_000;

export interface NodeRecord {
  readonly nodeId: NodeId;
  readonly incarnation: number;
  readonly heartbeat: Heartbeat;
  /** Monotonic time of the last heartbeat. */
  readonly receivedMs: number;
  readonly alive: boolean;
  /** What the detector makes of it. */
  readonly health: NodeHealth;
  /** Seats that the core was granted there and that the last heartbeat does not count. */
  readonly seatsSince: number;
  /** The number of the last seat that the core was granted there; 0 of a node that does not number them. */
  readonly lastGrant: number;
}

export interface RegionRecord {
  readonly spec: RegionSpec;
  readonly epoch: Epoch;
  readonly wanted: Wanted;
  readonly nodes: ReadonlyMap<NodeId, NodeRecord>;
  /** Seats of a node that admission may give, as measured; undefined where nobody measured. */
  readonly limits?: SeatLimits | undefined;
  /** Until when a node that was not heard may still live, monotonic ms; undefined once it is past. */
  readonly unheardUntilMs: number | undefined;
}

export type RegistryState = ReadonlyMap<RegionId, RegionRecord>;

export type RegistryEvent =
  | { readonly type: "heartbeat"; readonly from: RegionId; readonly heartbeat: Heartbeat }
  | { readonly type: "tick" }
  | {
      readonly type: "seatGranted";
      readonly regionId: RegionId;
      readonly nodeId: NodeId;
      /** Its number there, if the node numbers them. */
      readonly grant?: number | undefined;
    }
  | {
      readonly type: "health";
      readonly regionId: RegionId;
      readonly nodeId: NodeId;
      readonly health: NodeHealth;
    }
  | { readonly type: "wanted"; readonly regionId: RegionId; readonly wanted: Wanted }
  | { readonly type: "epoch"; readonly regionId: RegionId; readonly epoch: Epoch }
  /** All limits there are. */
  | { readonly type: "limits"; readonly limits: ReadonlyMap<RegionId, SeatLimits> }
  | TopologyEvent;

export type RegistryEffect =
  | { readonly type: "refuse"; readonly kind: ErrorKind; readonly message: string }
  | { readonly type: "nodeUp"; readonly node: NodeRecord }
  | { readonly type: "nodeDown"; readonly node: NodeRecord }
  | { readonly type: "nodeReplaced"; readonly node: NodeRecord; readonly by: NodeId }
  | { readonly type: "nodeForgotten"; readonly node: NodeRecord }
  /** Rooms of that region that are at none of these nodes have lost theirs. */
  | {
      readonly type: "nodesKnown";
      readonly regionId: RegionId;
      readonly nodeIds: readonly NodeId[];
    }
  | {
      readonly type: "roomsEnded";
      readonly nodeId: NodeId;
      readonly roomIds: readonly RoomId[];
    }
  | { readonly type: "sessionsLeft"; readonly left: Heartbeat["leftSessions"] };

export type RegistryStep = readonly [RegistryState, readonly RegistryEffect[]];

/**
 * The state before anything was heard, for the regions of a topology.
 * @param nowMs monotonic
 */
export function initialRegistry(specs: readonly RegionSpec[], nowMs: number): RegistryState {
  return new Map(specs.map((spec) => [spec.id, freshRegion(spec, nowMs)]));
}

/** @param nowMs monotonic */
export function registryStep(
  state: RegistryState,
  event: RegistryEvent,
  nowMs: number,
): RegistryStep {
  if (event.type === "tick") return onTick(state, nowMs);
  if (event.type === "heartbeat") return onHeartbeat(state, event.from, event.heartbeat, nowMs);
  if (event.type === "topology") return onTopology(state, event, nowMs);
  if (event.type === "limits") return [withLimits(state, event.limits), []];
  const region = state.get(event.regionId);
  if (!region) return [state, []];
  if (event.type === "wanted") return [withRegion(state, { ...region, wanted: event.wanted }), []];
  if (event.type === "epoch") return onEpoch(state, region, event.epoch);
  const node = region.nodes.get(event.nodeId);
  if (!node) return [state, []];
  if (event.type === "health") return onHealth(state, region, node, event.health);
  return [withNode(state, region, withSeat(node, event.grant)), []];
}

/** The region and the incarnation that a node's id names. */
export function partsOf(nodeId: NodeId): { readonly region: string; readonly incarnation: number } {
  const dash = nodeId.lastIndexOf("-");
  return { region: nodeId.slice(0, dash), incarnation: Number(nodeId.slice(dash + 1)) };
}

function onHeartbeat(
  state: RegistryState,
  from: RegionId,
  heartbeat: Heartbeat,
  nowMs: number,
): RegistryStep {
  const region = state.get(from);
  const { region: named, incarnation } = partsOf(heartbeat.nodeId);
  if (!region) return refuse(state, "unknown_region", `The topology has no region "${from}".`);
  if (heartbeat.regionId !== from || named !== from) {
    return refuse(state, "forbidden", `This certificate is of "${from}", not of that node.`);
  }
  if (!speaks(heartbeat.protocol)) {
    return refuse(state, "update_required", `Protocol ${heartbeat.protocol} is not spoken here.`);
  }
  const sameAddress = [...region.nodes.values()].filter((node) => isSameSlot(node, heartbeat));
  const newest = Math.max(0, ...sameAddress.map((node) => node.incarnation));
  if (incarnation < newest) {
    return refuse(state, "stale_incarnation", `Incarnation ${newest} is at this address by now.`);
  }
  const known = region.nodes.get(heartbeat.nodeId);
  // A reordered older heartbeat tells nothing new, least of all that a silent node lives; it is
  // answered all the same.
  if (known && heartbeat.sequence <= known.heartbeat.sequence) return [state, []];
  const replaced = sameAddress.filter((node) => node.incarnation < incarnation);
  const nodes = new Map(region.nodes);
  for (const node of replaced) nodes.delete(node.nodeId);
  const evicted = known ? [] : makeRoom(nodes);
  if (!evicted) return refuse(state, "unavailable", "Too many nodes in this region.");
  const node: NodeRecord = {
    nodeId: heartbeat.nodeId,
    incarnation,
    heartbeat,
    receivedMs: nowMs,
    alive: true,
    health: known?.health ?? "healthy",
    ...seatsUncounted(heartbeat, known?.lastGrant ?? 0),
  };
  nodes.set(node.nodeId, node);
  const effects: RegistryEffect[] = [
    ...replaced.map((old) => ({ type: "nodeReplaced", node: old, by: node.nodeId }) as const),
    ...evicted.map((old) => ({ type: "nodeForgotten", node: old }) as const),
  ];
  if (!known?.alive) effects.push({ type: "nodeUp", node });
  if (!known && region.unheardUntilMs === undefined) effects.push(nodesKnown(region, nodes));
  if (heartbeat.endedRooms.length > 0) {
    effects.push({ type: "roomsEnded", nodeId: node.nodeId, roomIds: heartbeat.endedRooms });
  }
  if (heartbeat.leftSessions.length > 0) {
    effects.push({ type: "sessionsLeft", left: heartbeat.leftSessions });
  }
  return [withRegion(state, { ...region, nodes }), effects];
}

/** A node that is down is heard no more, whenever its last heartbeat was. */
function onHealth(
  state: RegistryState,
  region: RegionRecord,
  node: NodeRecord,
  health: NodeHealth,
): RegistryStep {
  const alive = node.alive && health !== "down";
  const effects: RegistryEffect[] = node.alive && !alive ? [{ type: "nodeDown", node }] : [];
  return [withNode(state, region, { ...node, health, alive }), effects];
}

/** A heartbeat that was sent after the seat was granted has counted it, whichever came first. */
function withSeat(node: NodeRecord, grant: number | undefined): NodeRecord {
  if (grant === undefined || node.heartbeat.seatsGranted === undefined) {
    return { ...node, seatsSince: node.seatsSince + 1 };
  }
  return { ...node, ...seatsUncounted(node.heartbeat, Math.max(node.lastGrant, grant)) };
}

function seatsUncounted({ seatsGranted = 0 }: Heartbeat, lastGrant: number) {
  return { seatsSince: Math.max(0, lastGrant - seatsGranted), lastGrant };
}

/** Epochs only rise: one that was read before another was granted tells nothing. */
function onEpoch(state: RegistryState, region: RegionRecord, epoch: Epoch): RegistryStep {
  if (compareEpochs(epoch, region.epoch) < 0) return [state, []];
  return [withRegion(state, { ...region, epoch }), []];
}

function onTick(state: RegistryState, nowMs: number): RegistryStep {
  const effects: RegistryEffect[] = [];
  let next = state;
  for (const region of state.values()) {
    const [changed, happened] = onRegionTick(region, nowMs);
    if (changed !== region) next = withRegion(next, changed);
    effects.push(...happened);
  }
  return [next, effects];
}

function onRegionTick(
  region: RegionRecord,
  nowMs: number,
): readonly [RegionRecord, readonly RegistryEffect[]] {
  const effects: RegistryEffect[] = [];
  const nodes = new Map(region.nodes);
  for (const node of region.nodes.values()) {
    const silentMs = nowMs - node.receivedMs;
    if (node.alive && silentMs >= GRACE_MS) {
      nodes.set(node.nodeId, { ...node, alive: false });
      effects.push({ type: "nodeDown", node });
    } else if (!node.alive && node.health !== "isolated" && silentMs >= FORGET_MS) {
      nodes.delete(node.nodeId);
      effects.push({ type: "nodeForgotten", node });
    }
  }
  const { unheardUntilMs } = region;
  const heardAll = unheardUntilMs !== undefined && nowMs >= unheardUntilMs;
  if (heardAll || nodes.size < region.nodes.size) effects.push(nodesKnown(region, nodes));
  if (effects.length === 0) return [region, effects];
  return [{ ...region, nodes, unheardUntilMs: heardAll ? undefined : unheardUntilMs }, effects];
}

function nodesKnown(region: RegionRecord, nodes: ReadonlyMap<NodeId, unknown>): RegistryEffect {
  return { type: "nodesKnown", regionId: region.spec.id, nodeIds: [...nodes.keys()] };
}

/**
 * Whether the heartbeat comes from the place where `node` was: another life of the same process. The
 * address for players does not tell: siblings behind one proxy share it.
 */
function isSameSlot(node: NodeRecord, heartbeat: Heartbeat): boolean {
  return node.heartbeat.linkAddress === heartbeat.linkAddress;
}

/** Removes the longest silent dead node when the region is full; undefined when all are alive. */
function makeRoom(nodes: Map<NodeId, NodeRecord>): NodeRecord[] | undefined {
  if (nodes.size < NODES_PER_REGION_MAX) return [];
  const dead = [...nodes.values()]
    .filter((node) => !node.alive)
    .sort((a, b) => a.receivedMs - b.receivedMs)[0];
  if (!dead) return undefined;
  nodes.delete(dead.nodeId);
  return [dead];
}

function refuse(state: RegistryState, kind: ErrorKind, message: string): RegistryStep {
  return [state, [{ type: "refuse", kind, message }]];
}

function withLimits(
  state: RegistryState,
  limits: ReadonlyMap<RegionId, SeatLimits>,
): RegistryState {
  return new Map([...state].map(([id, region]) => [id, { ...region, limits: limits.get(id) }]));
}

function withNode(state: RegistryState, region: RegionRecord, node: NodeRecord): RegistryState {
  return withRegion(state, { ...region, nodes: new Map(region.nodes).set(node.nodeId, node) });
}

function withRegion(state: RegistryState, region: RegionRecord): RegistryState {
  return new Map(state).set(region.spec.id, region);
}
