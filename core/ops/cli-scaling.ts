/** The operators' command about scaling: how many nodes each region should run, and why. */
import { type RegionScalingStatus, ScalingAnswer } from "../../shared/protocol/ops-scaling.ts";
import type { OpsCall } from "./cli-client.ts";
import { harmless, iso, table } from "./cli-text.ts";

type Calling = <T>(request: OpsCall<T>) => Promise<T>;

/** Decisions that are shown. */
const SHOWN_MAX = 10;

/** @returns what to print */
export async function showScaling(
  call: Calling,
  { json, watch }: { readonly json: boolean; readonly watch: boolean },
): Promise<string> {
  const answer = await call({ path: "/ops/scaling", answer: ScalingAnswer });
  return json ? JSON.stringify(answer, undefined, watch ? 0 : 2) : scalingText(answer);
}

export function scalingText({ regions, decisions }: ScalingAnswer): string {
  if (regions.length === 0) return "nothing is decided yet: the core has just started.";
  const header = ["REGION", "WANTED", "RUNNING", "BOUNDS", "PLAYERS", "WAITING", "SEATS/NODE"];
  const rows = table([[...header, "REASON", "SINCE"], ...regions.map(regionRow)]);
  const whys = regions.map(({ regionId, why }) => `${regionId}: ${harmless(why)}`);
  const changes = decisions.slice(0, SHOWN_MAX).map(({ atMs, regionId, from, to, why }) => {
    return `${iso(atMs)}  ${regionId} ${from === null ? to : `${from} → ${to}`}: ${harmless(why)}`;
  });
  return [rows, "", ...whys, "", "the last decisions", ...changes].join("\n");
}

function regionRow(region: RegionScalingStatus): string[] {
  const { regionId, wanted, running, min, max, players, waiting, seatsPerNode, nodes } = region;
  const emptied = nodes.filter(({ draining }) => draining).length;
  return [
    regionId,
    String(wanted),
    emptied === 0 ? String(running) : `${running}, ${emptied} drain`,
    `${min} to ${max}`,
    String(players),
    String(waiting),
    seatsPerNode === null ? "-" : String(seatsPerNode),
    region.reason,
    iso(region.sinceMs),
  ];
}
