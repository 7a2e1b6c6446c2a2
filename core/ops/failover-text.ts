/** How the operators' command shows regions, rooms, players, and what moves between them. Pure. */
import type { z } from "zod";
import type { StatusAnswer } from "../../shared/protocol/ops.ts";
import type {
  EvacuationPlan,
  EvacuationStatus,
  FailbackAnswer,
  FailoverPlan,
  PlayersAnswer,
  RoomsAnswer,
  RoomsTo,
} from "../../shared/protocol/ops-failover.ts";
import { counted, table } from "./cli-text.ts";

export function regionsText({ regions }: z.infer<typeof StatusAnswer>): string {
  const header = [
    "REGION",
    "STATE",
    "EPOCH",
    "NODES",
    "PLAYERS",
    "SEATS",
    "LIMIT",
    "ROOMS",
    "NEXT TO IT",
  ];
  const rows = regions.map(({ regionId, state, regionEpoch, nodes, neighbours }) => {
    const live = nodes.filter((node) => node.state !== "down");
    const sum = (of: (node: (typeof nodes)[number]) => number) =>
      String(live.reduce((total, node) => total + of(node), 0));
    return [
      regionId,
      state,
      regionEpoch.join("."),
      `${live.length}/${nodes.length}`,
      sum(({ connected }) => connected),
      sum(({ offered }) => offered),
      limitIn(live),
      sum((node) => node.rooms),
      neighbours
        .slice(0, 3)
        .map(({ regionId: id, roundTripMs }) => `${id} ${Math.round(roundTripMs)} ms`)
        .join(", ") || "-",
    ];
  });
  return table([header, ...rows]);
}

/** One node of a build without a limit of its own is worth a word. */
function limitIn(nodes: z.infer<typeof StatusAnswer>["regions"][number]["nodes"]): string {
  const limits = nodes.map(({ limit }) => limit).filter((limit) => limit !== "none");
  return limits.find((limit) => limit === "unmeasured_build") ?? limits[0] ?? "-";
}

/** What an evacuation will do, for whoever is to say yes to it. */
export function planText(plan: EvacuationPlan, roomsPerS: number): string {
  const { rooms, players, targets, withoutCopy, unclaimed, silent } = plan;
  const seconds = Math.ceil(rooms / roomsPerS);
  return [
    `${counted(rooms, "room")} of ${placeOf(plan)} move${rooms === 1 ? "s" : ""} with the players in them, ` +
      `at ${roomsPerS} a second: about ${seconds} s. ${counted(players, "player")} there now.`,
    ...targetLines(targets),
    ...(withoutCopy > 0 ? [`  ${counted(withoutCopy, "room")} without a copy: they stay`] : []),
    ...(unclaimed > 0 ? [`  ${counted(unclaimed, "room")} of plain Colyseus: they stay`] : []),
    ...silent.map((nodeId) => `  ${nodeId} does not say which copies it has`),
    `No new players come to ${placeOf(plan)} from then on.`,
  ].join("\n");
}

export function evacuationText(status: EvacuationStatus): string {
  const { phase, by, roomsPerS, moved, players, moving, left, gone, failed, lost, errors } = status;
  const counts = [
    `${counted(moved, "room")} moved with ${counted(players, "player")}`,
    `${moving} on the way`,
    `${left} wait`,
    ...(gone > 0 ? [`${gone} ended by themselves`] : []),
    ...(failed > 0 ? [`${failed} can't be moved and run on`] : []),
    ...(lost > 0 ? [`${lost} LOST`] : []),
  ];
  return [
    `${placeOf(status)}: evacuation ${phase}, by ${by}, at ${roomsPerS} rooms a second`,
    `  ${counts.join(" · ")}`,
    ...errors.map(({ roomId, why }) => `  ${roomId}: ${why}`),
  ].join("\n");
}

export function evacuationsText(all: readonly EvacuationStatus[]): string {
  if (all.length === 0) return "Nothing is evacuated, nor was since this core started.";
  return all.map(evacuationText).join("\n");
}

/** What a failover does or did. @param name what was named: a region or a node */
export function failoverText(name: string, plan: FailoverPlan): string {
  const { nodes, rooms, players, protectedRooms, unprotectedRooms, targets, done } = plan;
  const head = done
    ? `${name} was failed over: ${counted(nodes.length, "node")} fenced (${nodes.join(", ")}).`
    : `${counted(nodes.length, "node")} of ${name} would be fenced for good (${nodes.join(", ")}), ` +
      "whatever runs there.";
  return [
    head,
    `  ${counted(rooms, "room")} with ${counted(players, "player")}: ${protectedRooms} go on elsewhere`,
    ...(unprotectedRooms > 0
      ? [`  ${counted(unprotectedRooms, "room")} without a copy: they END`]
      : []),
    ...targetLines(targets),
  ].join("\n");
}

export function failbackText(answer: FailbackAnswer): string {
  const { regionId, dryRun, was, wanted, regionEpoch, nodes } = answer;
  const from = was === "active" ? "" : ` It was ${was}.`;
  const takes = dryRun ? "would take" : wanted === "active" ? "takes" : "does not take";
  const planned =
    wanted === "active" ? "" : " The topology file says that it is draining: change that.";
  const lines = dryRun
    ? []
    : nodes.map(
        ({ nodeId, told }) => `  ${nodeId}: ${told ? "told" : "its next heartbeat tells it"}`,
      );
  return [
    `${regionId} ${takes} new players, under epoch ${regionEpoch.join(".")}.${from}${planned}`,
    "Rooms that went elsewhere stay there until they end.",
    ...lines,
  ].join("\n");
}

export function roomsText({ rooms, next }: RoomsAnswer): string {
  const header = ["ROOM", "GAME", "NODE", "EPOCH", "PLAYERS", "SINCE"];
  const rows = rooms.map(({ roomId, game, nodeId, roomEpoch, players, since }) => [
    roomId,
    game,
    nodeId,
    roomEpoch.join("."),
    String(players),
    since,
  ]);
  if (rows.length === 0) return "No room is open there.";
  const more = next === null ? "" : `\nthere are more: --after ${next}`;
  return table([header, ...rows]) + more;
}

export function playersText({ players, more }: PlayersAnswer): string {
  if (players.length === 0) return "No player has a seat there.";
  const header = ["PLAYER", "NAME", "GAME", "ROOM", "NODE", "SESSION", "SINCE"];
  const rows = players.map((one) => [
    one.playerId,
    one.name,
    one.game,
    one.roomId,
    one.roomAt === null || one.roomAt === one.nodeId ? one.nodeId : `${one.roomAt} (moved)`,
    one.sessionId ?? "left",
    one.since ?? "-",
  ]);
  return table([header, ...rows]) + (more ? "\nthere are more." : "");
}

function placeOf({ regionId, nodeId }: { regionId: string; nodeId: string | null }): string {
  return nodeId ?? regionId;
}

function targetLines(targets: readonly RoomsTo[]): string[] {
  return targets.map(({ nodeId, rooms }) => `  ${counted(rooms, "room")} to ${nodeId}`);
}
