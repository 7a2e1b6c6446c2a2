/** How the operators' command shows things. Pure. */
import type { z } from "zod";
import { compareEpochs, EPOCH_NONE } from "../../shared/epoch.ts";
import type { RegionStatus, StatusAnswer, TopologyStatus } from "../../shared/protocol/ops.ts";
import type { FenceAnswer, OperatorTokens, WantedAnswer } from "./schemas.ts";

export const USAGE = `Usage: npm run ops -- COMMAND

  status [--json] [--watch]       regions, nodes and players; --watch refreshes every second
  regions [--json]                a line a region: state, nodes, players, rooms, neighbours
  rooms [--region R] [--node N] [--after ROOM] [--json]
                                  open rooms: game, node, epoch, players, since when
  players PLAYER [--json]         where a player is: room, node, session
  players --room R | --node N | --region R [--json]
                                  who has a seat there
  drain REGION [--dry-run]        no new players there; what runs may end by itself
  undrain REGION [--dry-run]      take new players again
  evacuate REGION [--node N] [--pace ROOMS] [--dry-run] [--yes] [--json]
                                  drain it and move its live rooms to their standbys, so many a second (20)
  evacuate [REGION] --status [--watch] [--json]
                                  how far that is
  evacuate REGION --pause | --resume | --stop [--json]
                                  rooms that wait stay where they are; those on the way arrive
  failover REGION [--node N] [--dry-run] [--yes] [--json]
                                  give it up for lost: fence it, and go on with its rooms elsewhere
  failback REGION [--dry-run] [--json]
                                  take new players again after a failover, fence or evacuation; rooms stay
                                  where they went
  fence REGION [--yes] [--json]   end all rooms there at once and send the players to the neighbours
  unfence REGION [--json]         its nodes may take new rooms
  token create --name N --role R  a new operator's token, shown once (viewer, operator, admin)
  token list                      all tokens, without their secrets
  token revoke ID                 end a token
  ban PLAYER --reason R [--until T]  no log-in and no room until then (ISO 8601), or for good
  unban PLAYER                    end a ban
  player show PLAYER              all that is stored of a player, as JSON
  player delete PLAYER            delete the account for good
  player class PLAYER CLASS       in which class of ADMISSION_CLASSES the player waits; none for everybody's
  capacity [--json]               measured limits: players of a node, build, when and on what; builds without one
  capacity set REGION --players N --build B --hardware H --level L [--measured-at T] [--evidence E]
                                  [--dry-run] [--json]
                                  store one; admission uses it from then on, less CAPACITY_MARGIN
  scale [--json] [--watch]        how many nodes each region should run, and why (npm run scale does it)
  queue [--json] [--watch]        who waits for which region, and how fast they are let in
  opening REGION --at T           nobody is let in there before T (ISO 8601), then in an order that is drawn;
                                  again to change the time
  opening list [--json]           openings that are to come, and of the last days
  opening cancel REGION           open at once
  opening verify REGION PLAYER    what the player drew at the last opening there
  refused list [--player P] [--json]  changes of players' state that were refused and are unresolved
  refused apply ID                make one on the document as it is now, while no node holds the player
  refused drop ID                 give one up
  reconcile                       look whether all money and items are what operations say; ends with 1
                                  and a list when they are not
  audit [--json]                  the last 50 rows of the audit log
  audit --verify [--expect HASH] [--json]
                                  check its whole chain of hashes, and that a head of before is in it; ends
                                  with 1 and the first broken row when it is not as it was written
  keys rotate                     a new signing key; the present one retires by itself

Environment:
  MERIDIAN_OPS_URL                the core's private port (http://127.0.0.1:7302)
  MERIDIAN_OPERATOR_TOKEN         your token; or MERIDIAN_OPERATOR_TOKEN_FILE, a file that holds it
                                  (.meridian/local/operator-token of this checkout)
`;

/** The part of the usage about one command; all of it when there is none. */
export function usageOf(command: string | undefined): string {
  const lines = USAGE.split("\n");
  const own: string[] = [];
  let within = false;
  for (const line of lines) {
    if (/^ {2}\S/.test(line)) within = line.trimStart().split(" ")[0] === command;
    else if (!line.startsWith("    ")) within = false;
    if (within) own.push(line);
  }
  if (own.length === 0) return USAGE.trimEnd();
  return [lines[0], "", ...own].join("\n");
}

const HEADER = [
  "REGION",
  "STATE",
  "EPOCH",
  "WAITING",
  "NODE",
  "STATE",
  "PLAYERS",
  "LIMIT",
  "RESERVED",
  "ROOMS",
  "LOOP P99",
  "OVERLOAD",
  "REDIS",
  "OUTBOX",
  "UNCOPIED",
  "HEARD",
  "BUILD",
];

export function statusText(status: z.infer<typeof StatusAnswer>): string {
  const { build, coreTerm, leader, database, playersOnline: players, regions } = status;
  const online = `${counted(players, "player")} online`;
  const leads = leader ? ` · ${leader.name} leads, lease ${leader.term}` : "";
  const head = `core ${build} · term ${coreTerm}${leads} · database ${database} · ${online}`;
  const rows = table([HEADER, ...regions.flatMap(regionRows)]);
  return `${head}\n${topologyText(status.topology)}\n\n${rows}`;
}

function topologyText({ inForceSinceMs, refused }: TopologyStatus): string {
  const inForce = `topology in force since ${iso(inForceSinceMs)}`;
  if (refused === null) return inForce;
  return `${inForce}; its file is refused since ${iso(refused.sinceMs)}: ${harmless(refused.reason)}`;
}

/** @param asked what was asked for */
export function wantedText(
  { regionId, dryRun, wanted, nodes }: WantedAnswer,
  asked: WantedAnswer["wanted"],
): string {
  if (dryRun) {
    const takes = wanted === "draining" ? "would take no new players" : "would take new players";
    return `dry run: ${regionId} ${takes}; ${counted(nodes.length, "node")} would be told.`;
  }
  const lines = nodes.map(
    ({ nodeId, told }) =>
      `  ${nodeId}: ${told ? "told" : "not reached; its next heartbeat tells it"}`,
  );
  const doing = wanted === "draining" ? "takes no new players" : "takes new players";
  const none = nodes.length === 0 ? ["  no node of it lives; the next one is told"] : [];
  const planned = wanted === asked ? "" : " still: the topology file says that it is draining";
  return [`${regionId} ${doing}${planned}.`, ...lines, ...none].join("\n");
}

/** What a fence will do, for whoever is to say yes to it. */
export function fenceQuestion({ regionId, nodes }: z.infer<typeof RegionStatus>): string {
  const live = nodes.filter(({ state }) => state !== "down");
  const players = live.reduce((sum, { connected }) => sum + connected, 0);
  const rooms = live.reduce((sum, node) => sum + node.rooms, 0);
  return (
    `${counted(players, "player")} and ${counted(rooms, "room")} of ${regionId} are ended here; ` +
    "players are sent to the neighbours. What their rooms have not paid out is lost."
  );
}

export function fencedText({ regionId, regionEpoch, changed, rooms, nodes }: FenceAnswer): string {
  const under = `epoch ${regionEpoch.join(".")}`;
  const done = changed
    ? `${regionId} is fenced under ${under}: ${counted(rooms, "room")} ended.`
    : `${regionId} is fenced already, under ${under}.`;
  const lines = nodes.map(
    ({ nodeId, told }) =>
      `  ${nodeId}: ${told ? "told" : "not reached; its next heartbeat tells it"}`,
  );
  return [done, ...lines].join("\n");
}

export function tokensText({ tokens }: OperatorTokens): string {
  const rows = tokens.map(({ id, name, role, createdAt, revokedAt }) => [
    id,
    name,
    role,
    createdAt,
    revokedAt ?? "-",
  ]);
  return table([["ID", "NAME", "ROLE", "CREATED", "REVOKED"], ...rows]);
}

/** ISO 8601, to the second. */
export function iso(unixMs: number): string {
  return `${new Date(unixMs).toISOString().slice(0, 19)}Z`;
}

export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

/**
 * Without what a terminal obeys instead of showing: a region names its build by itself, and a file may hold
 * anything.
 */
export function harmless(text: string): string {
  return text.replace(/\p{C}/gu, "\ufffd");
}

/** Columns as wide as their widest cell, two spaces apart; harmless in a terminal. */
export function table(cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map(harmless));
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

function regionRows(region: z.infer<typeof RegionStatus>): string[][] {
  const { regionId, state, regionEpoch, waiting, nodes } = region;
  const epoch = compareEpochs(regionEpoch, EPOCH_NONE) === 0 ? "-" : regionEpoch.join(".");
  const own = [regionId, state, epoch, waiting === 0 ? "-" : String(waiting)];
  if (nodes.length === 0) return [[...own, "-"]];
  return nodes.map((node, index) => [
    ...(index === 0 ? own : own.map(() => "")),
    node.nodeId,
    node.state,
    `${node.connected}/${node.offered}`,
    node.limit === "none" ? "-" : node.limit,
    String(node.reserved),
    String(node.rooms),
    `${node.eventLoopDelayP99Ms.toFixed(1)} ms`,
    node.overload === "calm" ? "-" : node.overload,
    node.redis,
    node.outbox.items === 0
      ? "-"
      : `${node.outbox.items}, ${(node.outbox.ageMs / 1_000).toFixed(1)} s`,
    node.replication ? String(node.replication.unprotectedRooms) : "-",
    `${(node.heartbeatAgeMs / 1_000).toFixed(1)} s ago`,
    node.build,
  ]);
}
