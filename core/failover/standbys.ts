/**
 * Which nodes may have copies of a node's rooms: those of its nearest neighbour region that has seats to spare. Of a
 * node that is being emptied alone its siblings: its rooms are to stay in their region.
 * Every heartbeat says which list its node has, and is answered with another one only when there is one; a list
 * is made once a second at most for all nodes of a region.
 */
import { createHash } from "node:crypto";
import type { Clock } from "../../shared/clock.ts";
import type { NodeId, RegionId } from "../../shared/ids.ts";
import { NodeAddress, STANDBYS_MAX, type Standbys } from "../../shared/protocol/failover.ts";
import { neighboursOf } from "../regions/neighbours.ts";
import { freeSeats, liveNodes, takesPlayers, wantedOf } from "../regions/region-view.ts";
import { type NodeRecord, partsOf, type RegionRecord } from "../regions/registry-step.ts";

const KEEP_MS = 1_000;
const VERSION_CHARACTERS = 16;
const KEPT_MAX = 4_096;

export interface StandbyListsDeps {
  readonly regions: () => readonly RegionRecord[];
  /** Whether an operator has this very node emptied. */
  readonly drains: (nodeId: NodeId) => boolean;
  readonly clock: Pick<Clock, "monotonicMs">;
}

export class StandbyLists {
  readonly #deps: StandbyListsDeps;
  readonly #lists = new Map<NodeId, { readonly standbys: Standbys; readonly madeMs: number }>();

  constructor(deps: StandbyListsDeps) {
    this.#deps = deps;
  }

  /** @param version what the node has; undefined when it copies nothing */
  news(nodeId: NodeId, version: string | undefined): Standbys | undefined {
    if (version === undefined) return undefined;
    const standbys = this.#of(nodeId);
    return version === standbys.version ? undefined : standbys;
  }

  #of(nodeId: NodeId): Standbys {
    const nowMs = this.#deps.clock.monotonicMs();
    const known = this.#lists.get(nodeId);
    if (known && nowMs - known.madeMs < KEEP_MS) return known.standbys;
    const { regions, drains } = this.#deps;
    const standbys = standbysFor(nodeId, regions(), drains(nodeId));
    // Nodes come and go: what was kept for those of before goes with the oldest.
    this.#lists.delete(nodeId);
    this.#lists.set(nodeId, { standbys, madeMs: nowMs });
    const [oldest] = this.#lists.keys();
    if (this.#lists.size > KEPT_MAX && oldest !== undefined) this.#lists.delete(oldest);
    return standbys;
  }
}

/**
 * All of the nearest neighbour region that has any; the node's siblings only where no other region has one, or first
 * if it is being emptied. While two builds are mixed, nodes whose games have other states than its own count only
 * where there are no others: they refuse those rooms. Of more than a list holds the oldest ones, so that it changes with few of their changes. Pure.
 */
export function standbysFor(
  nodeId: NodeId,
  regions: readonly RegionRecord[],
  siblingsFirst: boolean,
): Standbys {
  const own = regions.find(({ spec }) => spec.id === partsOf(nodeId).region);
  const owner = own?.nodes.get(nodeId);
  const nodes = own && owner ? candidates(owner, own, regions, siblingsFirst) : [];
  const list = nodes
    .toSorted((a, b) => a.incarnation - b.incarnation)
    .slice(0, STANDBYS_MAX)
    .map(addressOf);
  const hash = createHash("sha256").update(JSON.stringify(list)).digest("base64url");
  return { version: hash.slice(0, VERSION_CHARACTERS), nodes: list };
}

/** Whether others of its region may go on with its rooms. Pure. */
export function hasSiblings(nodeId: NodeId, regions: readonly RegionRecord[]): boolean {
  const own = regions.find(({ spec }) => spec.id === partsOf(nodeId).region);
  const owner = own?.nodes.get(nodeId);
  return own !== undefined && owner !== undefined && standbysIn(own, owner).length > 0;
}

function candidates(
  owner: NodeRecord,
  own: RegionRecord,
  regions: readonly RegionRecord[],
  siblingsFirst: boolean,
): NodeRecord[] {
  const byId = new Map<RegionId, RegionRecord>(regions.map((region) => [region.spec.id, region]));
  const others = neighboursOf(own, regions).flatMap(({ regionId }) => byId.get(regionId) ?? []);
  const inOrder = (siblingsFirst ? [own, ...others] : [...others, own])
    .map((region) => standbysIn(region, owner))
    .filter((nodes) => nodes.length > 0);
  for (const nodes of inOrder) {
    const alike = nodes.filter((node) => hasSameStates(owner, node));
    if (alike.length > 0) return alike;
  }
  return inOrder[0] ?? [];
}

function standbysIn(region: RegionRecord, owner: NodeRecord): NodeRecord[] {
  if (wantedOf(region) !== "active") return [];
  const { games } = owner.heartbeat;
  return liveNodes(region).filter(
    (node) =>
      node.nodeId !== owner.nodeId &&
      takesPlayers(node) &&
      node.heartbeat.replication !== undefined &&
      freeSeats(node) > 0 &&
      games.every((game) => node.heartbeat.games.includes(game)),
  );
}

/** A node of before does not say: it is taken to be alike. */
function hasSameStates(owner: NodeRecord, other: NodeRecord): boolean {
  const { games, gameStates: own } = owner.heartbeat;
  const { gameStates: others } = other.heartbeat;
  return !own || !others || games.every((game) => own[game] === others[game]);
}

function addressOf({ nodeId, heartbeat }: NodeRecord): NodeAddress {
  return NodeAddress.parse({ nodeId, linkAddress: heartbeat.linkAddress });
}
