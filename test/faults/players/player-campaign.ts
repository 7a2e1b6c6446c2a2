/**
 * Strikes at a world with followed players in it, one fault after another. A promise that is broken is noted and
 * told, and the campaign goes on: what matters is how many were kept.
 */
import type { ProcessHandle } from "../../../infra/local/processes.ts";
import type { LocalWorld } from "../../../infra/local/world.ts";
import { FollowedCrowd } from "../../../loadtest/followed/followed-crowd.ts";
import { auditCoins } from "../../../loadtest/followed/told-coins.ts";
import type { RegionId } from "../../../shared/ids.ts";
import { type Finding, findingOf, findingText, type Summary, summaryOf } from "./findings.ts";
import type { PlayerFault } from "./player-fault.ts";
import { strikePlayers } from "./player-strike.ts";
import { Scene } from "./scene.ts";

export interface PlayerCampaignOptions {
  /** From `startFollowedWorld`. */
  readonly world: LocalWorld;
  /** Nodes of regions beside their first. */
  readonly siblings?: ReadonlyMap<RegionId, readonly ProcessHandle[]>;
  readonly players: number;
  readonly faults: readonly PlayerFault[];
  /** Of the players' dice. */
  readonly seed: number;
  /** Told one line for each fault, and more for each broken promise. */
  readonly say: (line: string) => void;
}

export interface PlayerCampaignResult {
  readonly findings: readonly Finding[];
  readonly summary: Summary;
}

/** Rooms of a few are begun by the dozen then, each with its claim at the core. */
const ARRIVE_PER_SECOND = 20;

/** @throws where a part of the world can't be had back */
export async function runPlayerCampaign(
  options: PlayerCampaignOptions,
): Promise<PlayerCampaignResult> {
  const { world, siblings = new Map(), players, faults, seed, say } = options;
  const crowd = await FollowedCrowd.start({
    url: world.core.url,
    players,
    arrivePerSecond: ARRIVE_PER_SECOND,
    regions: [...world.regions.keys()],
    seed,
  });
  const findings: Finding[] = [];
  try {
    const scene = new Scene({ world, crowd, siblings });
    for (const fault of faults) {
      await scene.begin();
      await strikePlayers(fault, scene);
      const finding = findingOf(fault, scene.outcomes, await scene.legs());
      findings.push(finding);
      say(`${findings.length}/${faults.length} ${findingText(finding)}`);
    }
  } finally {
    await crowd.stop();
  }
  const audit = await auditCoins(crowd.coins, world.databaseUrl);
  return { findings, summary: summaryOf(findings, audit) };
}
