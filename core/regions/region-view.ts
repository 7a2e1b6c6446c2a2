/** What can be read off the registry's state: who lives, who takes players, how full they are. Pure. */
import type { GameName } from "../../shared/ids.ts";
import type { NodeRecord, RegionRecord } from "./registry-step.ts";

export type RegionState = "active" | "draining" | "down" | "unknown";

/** `unknown` until a first heartbeat since this core started. */
export function regionStateOf(region: RegionRecord): RegionState {
  const nodes = [...region.nodes.values()];
  if (nodes.length === 0) return "unknown";
  const live = liveNodes(region);
  if (live.length === 0) return "down";
  const open = live.some((node) => node.heartbeat.state === "active");
  return region.wanted === "active" && open ? "active" : "draining";
}

export function liveNodes(region: RegionRecord): NodeRecord[] {
  return [...region.nodes.values()].filter((node) => node.alive);
}

/** Whether new players may be sent there. */
export function takesPlayers(node: NodeRecord): boolean {
  return node.alive && node.heartbeat.state === "active" && node.heartbeat.redis === "up";
}

export function runsGame(node: NodeRecord, game: GameName | undefined): boolean {
  return game === undefined || node.heartbeat.games.includes(game);
}

/** Seats that nobody holds, as far as the core knows; the node itself decides. */
export function freeSeats(node: NodeRecord): number {
  const { capacity, connected, reserved } = node.heartbeat;
  return Math.max(0, capacity - connected - reserved - node.seatsSince);
}

/** The node of a region that new players of `game` go to: the one with the largest free share. */
export function chooseNode(region: RegionRecord, game: GameName | undefined) {
  let best: NodeRecord | undefined;
  for (const node of region.nodes.values()) {
    if (!takesPlayers(node) || !runsGame(node, game) || freeSeats(node) === 0) continue;
    if (!best || compareRoom(node, best) < 0) best = node;
  }
  return best;
}

/** Negative when `a` is the better place: by free share, less what its event loop is busy. */
function compareRoom(a: NodeRecord, b: NodeRecord): number {
  const room = (node: NodeRecord) =>
    freeSeats(node) / Math.max(1, node.heartbeat.capacity) -
    node.heartbeat.load.eventLoopUtilisation / 2;
  return room(b) - room(a) || a.incarnation - b.incarnation;
}
