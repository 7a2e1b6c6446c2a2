/** The operators' commands about measured capacity: what there is, and storing one. */
import {
  CapacitiesAnswer,
  CapacityAnswer,
  type StoredLimit,
} from "../../shared/protocol/ops-capacity.ts";
import type { OpsCall } from "./cli-client.ts";
import { type Options, UsageError } from "./cli-options.ts";
import { counted, table } from "./cli-text.ts";

type Calling = <T>(request: OpsCall<T>) => Promise<T>;

/** @returns what to print */
export async function showCapacity(call: Calling, { json }: { json: boolean }): Promise<string> {
  const answer = await call({ path: "/ops/capacity", answer: CapacitiesAnswer });
  return json ? JSON.stringify(answer, undefined, 2) : capacitiesText(answer);
}

/** Stores a limit. @returns what to print */
export async function setCapacity(
  call: Calling,
  regionId: string,
  options: Options,
): Promise<string> {
  const { players, build, hardware, level, evidence, json, "dry-run": dryRun } = options;
  if (players === undefined || build === undefined || hardware === undefined || !level) {
    throw new UsageError("capacity set needs --players N --build B --hardware H --level L");
  }
  const playersPerNode = Number(players);
  if (!Number.isInteger(playersPerNode) || playersPerNode < 1) {
    throw new UsageError("--players is a whole number of players, 1 or more");
  }
  const measuredAt = options["measured-at"] ?? new Date().toISOString();
  const answer = await call({
    method: "POST",
    path: `/ops/regions/${encodeURIComponent(regionId)}/capacity`,
    body: { playersPerNode, build, measuredAt, hardware, serviceLevel: level, evidence, dryRun },
    answer: CapacityAnswer,
  });
  return json ? JSON.stringify(answer, undefined, 2) : capacityText(answer);
}

export function capacitiesText({ margin, limits, lifted, flags }: CapacitiesAnswer): string {
  const share = `${Math.round(margin * 100)}%`;
  const head = `admission leaves ${share} of a measured limit free (CAPACITY_MARGIN)`;
  if (limits.length === 0) {
    return `${head}; nothing was measured: each node takes as many as it says (REGION_CAPACITY).`;
  }
  const rows = limits.map(limitRow);
  const header = ["REGION", "PLAYERS/NODE", "SEATS", "BUILD", "MEASURED", "USED", "ON", "LEVEL"];
  const told = flags.map(
    ({ regionId, build, nodes, measuredBuild, flag }) =>
      `${flag}: ${counted(nodes, "node")} of ${regionId} run ${build}, which nobody measured; ` +
      `the limit of ${measuredBuild} is used.`,
  );
  for (const { regionId, until } of lifted) {
    told.push(
      `${regionId}: its limits don't count until ${until}, a load test looks for the next.`,
    );
  }
  const full = [...header, "EVIDENCE", "BY"];
  return [head, ...told, "", table([full, ...rows])].join("\n");
}

function limitRow(limit: StoredLimit): string[] {
  return [
    limit.regionId,
    String(limit.playersPerNode),
    String(limit.seatsPerNode),
    limit.build,
    `${limit.measuredAt.slice(0, 19)}Z`,
    limit.current ? "yes" : "-",
    limit.hardware,
    limit.serviceLevel,
    limit.evidence ?? "-",
    limit.storedBy,
  ];
}

export function capacityText(answer: CapacityAnswer): string {
  const { regionId, dryRun, playersPerNode, seatsPerNode, nodes } = answer;
  const head = dryRun
    ? `dry run: a node of ${regionId} would take ${playersPerNode} players, of which admission gives ${seatsPerNode} seats.`
    : `a node of ${regionId} takes ${playersPerNode} players: admission gives ${seatsPerNode} seats.`;
  const lines = nodes.map(({ nodeId, before, after, taken }) => {
    const above =
      taken > after ? "; nobody is sent away, the next wait until enough have left" : "";
    return `  ${nodeId}: ${after} seats (${before} before), ${taken} taken${above}`;
  });
  return [head, ...lines].join("\n");
}
