/** `npm run faults -- --players N`: a world of its own, and what was kept of each promise. */
import type { ProcessHandle } from "../../../infra/local/processes.ts";
import { startFollowedWorld } from "../../../loadtest/followed/followed-world.ts";
import type { RegionId } from "../../../shared/ids.ts";
import { allRegionsActive } from "../../world.ts";
import { rejectedBy } from "../called-off.ts";
import type { FaultsOptions } from "../options.ts";
import { isKept, summaryText } from "./findings.ts";
import { runPlayerCampaign } from "./player-campaign.ts";
import { planPlayerFaults } from "./player-fault.ts";

export interface Following extends Pick<FaultsOptions, "kills" | "regions" | "wan" | "json"> {
  readonly players: number;
  readonly seed: number;
  /** Of the world. */
  readonly dir: string;
  readonly signal: AbortSignal;
  readonly killSignal: AbortSignal;
}

/**
 * With more players than this two processors can't send and decode what everybody sees in rooms of ten, 20 times a
 * second, nor commit five documents a second of each and all of their coins at once. What is promised is promised of
 * small rooms, too, and of ones that say less.
 */
const CROWD = 250;
const FOR_A_CROWD = {
  TRACED_SEATS: "4",
  TRACED_PATCH_MS: "100",
  TRACED_WRITE_TICKS: "20",
  TRACED_PAY_TICKS: "100",
};

/**
 * @returns whether every promise was kept
 * @throws when called off, with the world stopped
 */
export async function followPlayers(options: Following): Promise<boolean> {
  const { kills, regions, wan, json, players, seed, dir, signal, killSignal } = options;
  console.log(`seed ${seed}: ${kills} faults, ${players} players, ${regions} regions`);
  const env = players > CROWD ? FOR_A_CROWD : {};
  const world = await startFollowedWorld({ dir, regions, wan, env, signal, killSignal });
  try {
    await allRegionsActive(world);
    const regionIds = [...world.regions.keys()];
    const siblings = new Map<RegionId, ProcessHandle[]>();
    // One region has two nodes, so that one of them may fail alone.
    for (const regionId of regionIds.slice(0, 1)) {
      siblings.set(regionId, [await world.addNode(regionId)]);
    }
    const faults = planPlayerFaults({ seed, count: kills, regionIds, wan });
    const say = (line: string) => console.log(line);
    const campaign = runPlayerCampaign({ world, siblings, players, faults, seed, say });
    const { summary } = await Promise.race([campaign, rejectedBy(signal)]);
    console.log(summaryText(summary));
    if (json) console.log(JSON.stringify({ seed, players, wan, ...summary }));
    return isKept(summary);
  } finally {
    await world.stop();
  }
}
