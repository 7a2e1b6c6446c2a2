/** How the operators' command shows things. Pure. */
import type { z } from "zod";
import { compareEpochs, EPOCH_NONE } from "../../shared/epoch.ts";
import type { RegionStatus, StatusAnswer } from "../../shared/protocol/ops.ts";
import type { OperatorTokens, WantedAnswer } from "./schemas.ts";

export const USAGE = `Usage: npm run ops -- COMMAND

  status [--json] [--watch]       regions, nodes and players; --watch refreshes every second
  drain REGION                    no new players there; what runs may end by itself
  undrain REGION                  take new players again
  token create --name N --role R  a new operator's token, shown once (viewer, operator, admin)
  token list                      all tokens, without their secrets
  token revoke ID                 end a token
  ban PLAYER --reason R [--until T]  no log-in and no room until then (ISO 8601), or for good
  unban PLAYER                    end a ban
  player show PLAYER              all that is stored of a player, as JSON
  player delete PLAYER            delete the account for good
  reconcile                       look whether all money and items are what operations say; ends with 1
                                  and a list when they are not
  keys rotate                     a new signing key; the present one retires by itself

Environment:
  MERIDIAN_OPS_URL                the core's private port (http://127.0.0.1:7302)
  MERIDIAN_OPERATOR_TOKEN         your token; or MERIDIAN_OPERATOR_TOKEN_FILE, a file that holds it
                                  (.meridian/local/operator-token of this checkout)
`;

const HEADER = [
  "REGION",
  "STATE",
  "EPOCH",
  "NODE",
  "STATE",
  "PLAYERS",
  "RESERVED",
  "ROOMS",
  "LOOP P99",
  "REDIS",
  "HEARD",
  "BUILD",
];

export function statusText(status: z.infer<typeof StatusAnswer>): string {
  const { build, coreTerm, database, playersOnline: players, regions } = status;
  const online = `${players} player${players === 1 ? "" : "s"} online`;
  const head = `core ${build} · term ${coreTerm} · database ${database} · ${online}`;
  return `${head}\n\n${table([HEADER, ...regions.flatMap(regionRows)])}`;
}

export function wantedText({ regionId, wanted, nodes }: WantedAnswer): string {
  const lines = nodes.map(
    ({ nodeId, told }) =>
      `  ${nodeId}: ${told ? "told" : "not reached; its next heartbeat tells it"}`,
  );
  const doing = wanted === "draining" ? "takes no new players" : "takes new players";
  const none = nodes.length === 0 ? ["  no node of it lives; the next one is told"] : [];
  return [`${regionId} ${doing}.`, ...lines, ...none].join("\n");
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

/** Columns as wide as their widest cell, two spaces apart. */
export function table(rows: readonly (readonly string[])[]): string {
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
  const { regionId, state, regionEpoch, nodes } = region;
  const epoch = compareEpochs(regionEpoch, EPOCH_NONE) === 0 ? "-" : regionEpoch.join(".");
  const own = [regionId, state, epoch];
  if (nodes.length === 0) return [[...own, "-"]];
  return nodes.map((node, index) => [
    ...(index === 0 ? own : ["", "", ""]),
    node.nodeId,
    node.state,
    `${node.connected}/${node.capacity}`,
    String(node.reserved),
    String(node.rooms),
    `${node.eventLoopDelayP99Ms.toFixed(1)} ms`,
    node.redis,
    `${(node.heartbeatAgeMs / 1_000).toFixed(1)} s ago`,
    node.build,
  ]);
}
