/**
 * A region is evacuated, again and again: its live rooms move to a neighbour, and no tick of theirs is lost. The
 * world and its players are those of `failover`; nothing dies. A player's pause goes from the last state that was
 * seen at the old node to the first input that came back from the new one.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LocalWorld } from "../../../infra/local/world.ts";
import type { RegionId } from "../../../shared/ids.ts";
import { evacuate, takeBack } from "../../followed/evacuation.ts";
import { FollowedCrowd } from "../../followed/followed-crowd.ts";
import { startFollowedWorld } from "../../followed/followed-world.ts";
import { TICK_MS } from "../../followed/passages.ts";
import { type Benchmark, percentile, rounded } from "../benchmark.ts";
import { type Lost, loseRegion } from "../failover/region-loss.ts";
import { interruption } from "../interruption.ts";

interface Plan {
  readonly players: number;
  readonly evacuations: number;
}

const FULL: Plan = { players: 100, evacuations: 10 };
const QUICK: Plan = { players: 50, evacuations: 2 };
const ARRIVE_PER_SECOND = 40;
const SEED = 1;

export const evacuateBenchmark: Benchmark = {
  name: "evacuate",
  description: "live rooms move out of a region: how many a second, how long players pause",
  goals: [
    { figure: "pauseP99Ms", words: "pause of a player, p99", unit: "ms", atMost: 500 },
    { figure: "ticksLost", words: "ticks lost", atMost: 0 },
  ],
  async run({ quick, say }) {
    const signal = interruption();
    const dir = mkdtempSync(join(tmpdir(), "meridian-evacuate-"));
    const { players, evacuations } = quick ? QUICK : FULL;
    try {
      const world = await startFollowedWorld({ dir, wan: true, signal });
      try {
        const [first = ""] = world.regions.keys();
        const crowd = await FollowedCrowd.start({
          url: world.core.url,
          players,
          arrivePerSecond: ARRIVE_PER_SECOND,
          regions: [first],
          seed: SEED,
        });
        const all: Lost[] = [];
        try {
          for (let run = 1; run <= evacuations; run += 1) {
            const one = await loseRegion({ world, crowd, signal }, moveOut);
            all.push(one);
            say(`${run}/${evacuations} ${JSON.stringify(figures([one]))}`);
          }
        } finally {
          await crowd.stop();
        }
        return { runs: evacuations, ...figures(all) };
      } finally {
        await world.stop();
      }
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
};

async function moveOut(world: LocalWorld, regionId: RegionId) {
  await evacuate(world, regionId);
  return () => takeBack(world, regionId);
}

function figures(all: readonly Lost[]) {
  const resumptions = all.flatMap((one) => one.resumptions);
  const resumed = resumptions.filter((one) => one.resumed);
  const pausesMs = resumed.flatMap(({ pauseMs }) => pauseMs ?? []);
  const ticksLost = Math.max(0, ...resumed.map(({ rolledBackMs }) => rolledBackMs / TICK_MS));
  // A room has moved once its players play; the slowest one ends the evacuation.
  const seconds = all.reduce((sum, one) => sum + lastMs(one) / 1_000, 0);
  return {
    rooms: all.reduce((sum, { rooms }) => sum + rooms, 0),
    playersMoved: resumptions.length,
    resumedPct: rounded((100 * resumed.length) / resumptions.length),
    roomsPerS: rounded(all.reduce((sum, { rooms }) => sum + rooms, 0) / seconds),
    pauseP50Ms: rounded(percentile(pausesMs, 50)),
    pauseP99Ms: rounded(percentile(pausesMs, 99)),
    ticksLost,
  };
}

function lastMs({ resumptions }: Lost): number {
  return Math.max(0, ...resumptions.map(({ tookMs }) => tookMs ?? 0));
}
