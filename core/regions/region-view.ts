/** What can be read off the registry's state: who lives, who takes players, how full they are. Pure. */
import type { GameName, NodeId } from "../../shared/ids.ts";
import type { JoinMode } from "../../shared/protocol/join.ts";
import { type OverloadLevel, reaches } from "../../shared/protocol/overload.ts";
import { seatLimitFor } from "../capacity/seat-limits.ts";
import type { Wanted } from "./fence-step.ts";
import type { NodeRecord, RegionRecord } from "./registry-step.ts";

/** Past this an event loop takes players only where there is no other. */
const BUSY_UTILISATION = 0.8;
/** Differences in room below an eighth don't count. */
const ROOM_STEPS = 8;

export type RegionState = "active" | "draining" | "fenced" | "isolated" | "down" | "unknown";

/** What is wanted of the region: drained when the topology or an operator says so; a fence wins. */
export function wantedOf({ wanted, spec }: RegionRecord): Wanted {
  return wanted === "active" ? spec.state : wanted;
}

/**
 * `fenced` whatever its nodes do; `unknown` until a first heartbeat since this core started; `isolated` when
 * those of its nodes that live are all cut off from the core.
 */
export function regionStateOf(region: RegionRecord): RegionState {
  if (region.wanted === "fenced") return "fenced";
  const nodes = [...region.nodes.values()];
  if (nodes.length === 0) return "unknown";
  const isolated = nodes.filter(({ health }) => health === "isolated");
  const live = liveNodes(region).filter(({ health }) => health !== "isolated");
  if (live.length === 0) return isolated.length > 0 ? "isolated" : "down";
  const open = live.some((node) => node.heartbeat.state === "active");
  return wantedOf(region) === "active" && open ? "active" : "draining";
}

export function liveNodes(region: RegionRecord): NodeRecord[] {
  return [...region.nodes.values()].filter((node) => node.alive);
}

/** Whether new players may be sent there. */
export function takesPlayers(node: NodeRecord): boolean {
  return isHealthy(node) && !reaches(overloadOf(node), "no_seats");
}

/** Whether it takes players, but for what it has to do. */
export function isHealthy({ alive, health, heartbeat }: NodeRecord): boolean {
  return alive && health === "healthy" && heartbeat.state === "active" && heartbeat.redis === "up";
}

/** Nodes of before have no overload gate. */
export function overloadOf(node: NodeRecord): OverloadLevel {
  return node.heartbeat.overload ?? "calm";
}

/** What a player must find in a region. */
export interface Wish {
  /** Without one, what the regions run does not matter. */
  readonly game?: GameName | undefined;
  /** The protocol that the client speaks. */
  readonly protocol?: number | undefined;
  /** The build of the game that the client has; without one, any will do. */
  readonly build?: string | undefined;
}

/** Whether the node runs the game in a version that the client understands. */
export function suits(node: NodeRecord, { game, protocol, build }: Wish): boolean {
  const { heartbeat } = node;
  // A newer node speaks an older client's version, never the reverse.
  const understood = protocol === undefined || heartbeat.protocol >= protocol;
  return runsGame(node, game) && understood && (build === undefined || heartbeat.build === build);
}

export function runsGame(node: NodeRecord, game: GameName | undefined): boolean {
  return game === undefined || node.heartbeat.games.includes(game);
}

/** Players of a node that have a seat, as far as the core knows. */
export function seatsTaken({ heartbeat, seatsSince }: NodeRecord): number {
  return heartbeat.connected + heartbeat.reserved + seatsSince;
}

/**
 * Seats that nobody holds, as the node itself says, which decides. For rooms that go on after a failover: one that
 * runs slowly is better than one that is lost.
 */
export function freeSeats(node: NodeRecord): number {
  return Math.max(0, node.heartbeat.capacity - seatsTaken(node));
}

/** Seats of a node that admission may give: what the node says, and no more than was measured, less the margin. */
export function offeredSeats({ limits }: RegionRecord, { heartbeat }: NodeRecord): number {
  const limit = seatLimitFor(limits, heartbeat.build)?.seats ?? Number.POSITIVE_INFINITY;
  return Math.min(heartbeat.capacity, limit);
}

/** Of those, the seats that nobody holds. Who plays above a limit that fell plays on. */
export function freeOffered(region: RegionRecord, node: NodeRecord): number {
  return Math.max(0, offeredSeats(region, node) - seatsTaken(node));
}

export interface NodeWish extends Wish {
  readonly mode: JoinMode;
  /** Where friends play. */
  readonly near?: ReadonlySet<NodeId> | undefined;
}

/**
 * The node of a region that new players go to: one where friends play, if it has a seat. Else, where they
 * may join others, one whose rooms have open seats comes first, unless its event loop is busy; else the one
 * with the most room, of those that still make rooms if there are any.
 */
export function chooseNode(region: RegionRecord, wish: NodeWish): NodeRecord | undefined {
  const { game, mode, near } = wish;
  const open = liveNodes(region).filter(
    (node) => takesPlayers(node) && suits(node, wish) && freeOffered(region, node) > 0,
  );
  const friendly = open.filter(({ nodeId }) => near?.has(nodeId));
  const meeting = mode === "create" ? [] : open.filter((node) => hasOpenSeats(node, game));
  const making = open.filter((node) => !reaches(overloadOf(node), "no_rooms"));
  const candidates = [friendly, meeting, making, open].find((nodes) => nodes.length > 0) ?? [];
  return candidates.toSorted((a, b) => compareRoom(region, a, b))[0];
}

function hasOpenSeats(node: NodeRecord, game: GameName | undefined): boolean {
  const { openSeats, load } = node.heartbeat;
  if (game === undefined || load.eventLoopUtilisation >= BUSY_UTILISATION) return false;
  return (openSeats[game] ?? 0) > node.seatsSince;
}

/**
 * Negative when `a` is the better place: by free share, less what its event loop is busy. Nodes of
 * about the same room are taken in a fixed order, so that the first few players land together.
 */
function compareRoom(region: RegionRecord, a: NodeRecord, b: NodeRecord): number {
  const room = (node: NodeRecord) => {
    const share = freeOffered(region, node) / Math.max(1, offeredSeats(region, node));
    return Math.round((share - node.heartbeat.load.eventLoopUtilisation / 2) * ROOM_STEPS);
  };
  return room(b) - room(a) || a.incarnation - b.incarnation;
}
