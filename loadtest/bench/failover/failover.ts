/**
 * A region is lost, again and again, by SIGKILL and by a network that drops everything, and players play on in its
 * neighbour: how long that takes each of them and what it costs.
 *
 * A whole local world of three regions, all links as long as the distances (`--wan`), players in processes of
 * their own through the client SDK. Times are taken at the players, from the moment before the signal is sent until
 * the state shows the own entity with an input that was sent on the new connection. The next loss comes once
 * the region is back and every room has a copy.
 */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { noisyHour } from "../../../test/simulation/failover/noisy-hour.ts";
import { blackHole, killNodes, ours } from "../../followed/blows.ts";
import { FollowedCrowd } from "../../followed/followed-crowd.ts";
import { startFollowedWorld } from "../../followed/followed-world.ts";
import type { Resumption } from "../../followed/resumptions.ts";
import { auditCoins } from "../../followed/told-coins.ts";
import { type Benchmark, percentile, rounded } from "../benchmark.ts";
import { interruption } from "../interruption.ts";
import { type Blow, loseRegion } from "./region-loss.ts";

type Loss = "kill" | "black hole";

const BLOWS: Readonly<Record<Loss, Blow>> = {
  kill: (world, id) => killNodes([ours(world.regions.get(id), id)]),
  "black hole": (world, id) => blackHole(world, id, [ours(world.regions.get(id), id)]),
};

interface Plan {
  readonly players: number;
  readonly arrivePerSecond: number;
  readonly losses: readonly Loss[];
}

const LOSSES: readonly Loss[] = ["kill", "kill", "kill", "black hole"];
/** With 250 at once the world keeps both processors of a small machine four fifths busy before anything is lost. */
const FULL: Plan = {
  players: 100,
  arrivePerSecond: 40,
  losses: Array.from({ length: 26 }, () => LOSSES).flat(),
};
const QUICK: Plan = { players: 50, arrivePerSecond: 40, losses: ["kill", "black hole"] };
const SEED = 1;

export const failoverBenchmark: Benchmark = {
  name: "failover",
  description:
    "a region is killed or cut off, its players play on elsewhere: how soon, what is lost",
  goals: [
    { figure: "playersMoved", words: "players who were followed", atLeast: 10_000, fullOnly: true },
    { figure: "resumedPct", words: "of whom play on", unit: "%", atLeast: 99.9 },
    {
      figure: "rtoP50Ms",
      words: "until they play on after SIGKILL, median",
      unit: "ms",
      atMost: 1_500,
    },
    { figure: "rtoP99Ms", words: "the same, p99", unit: "ms", atMost: 3_000 },
    {
      figure: "blackHoleRtoP99Ms",
      words: "until they play on after a black hole, p99",
      unit: "ms",
      atMost: 6_000,
    },
    { figure: "rpoP99Ms", words: "play that is rolled back, p99", unit: "ms", atMost: 250 },
    {
      figure: "classBRpoP99Ms",
      words: "changes of documents that are lost, p99",
      unit: "ms",
      atMost: 500,
    },
    { figure: "classALost", words: "coins lost", atMost: 0 },
    { figure: "classADoubled", words: "coins doubled", atMost: 0 },
    {
      figure: "falseFailovers",
      words: "failovers without a reason in an hour of noisy links",
      atMost: 0,
    },
  ],
  async run({ quick, say }) {
    const signal = interruption();
    const dir = mkdtempSync(join(tmpdir(), "meridian-failover-"));
    const { players, arrivePerSecond, losses } = quick ? QUICK : FULL;
    try {
      const world = await startFollowedWorld({ dir, wan: true, signal });
      try {
        const [first = ""] = world.regions.keys();
        const crowd = await FollowedCrowd.start({
          url: world.core.url,
          players,
          arrivePerSecond,
          regions: [first],
          seed: SEED,
        });
        const found = new Map<Loss, Resumption[]>([
          ["kill", []],
          ["black hole", []],
        ]);
        try {
          for (const [index, loss] of losses.entries()) {
            const { resumptions } = await loseRegion({ world, crowd, signal }, BLOWS[loss]);
            found.get(loss)?.push(...resumptions);
            say(`${index + 1}/${losses.length} ${loss}: ${described(resumptions)}`);
          }
        } finally {
          await crowd.stop();
        }
        const { promised, lost, doubled, unsound } = await auditCoins(
          crowd.coins,
          world.databaseUrl,
        );
        say(`${promised} coins: ${lost.length} lost, ${doubled.length} doubled`);
        return {
          runs: losses.length,
          ...figures(found),
          coins: promised,
          classALost: lost.length,
          classADoubled: doubled.length,
          booksUnsound: unsound.length,
          falseFailovers: noisyHour(SEED).falseFailovers,
        };
      } finally {
        await world.stop();
      }
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
};

function figures(found: ReadonlyMap<Loss, readonly Resumption[]>) {
  const all = [...found.values()].flat();
  const resumed = all.filter((one) => one.resumed);
  const took = (loss: Loss) => (found.get(loss) ?? []).flatMap(({ tookMs }) => tookMs ?? []);
  return {
    playersMoved: all.length,
    resumedPct: rounded((100 * resumed.length) / all.length),
    rtoP50Ms: rounded(percentile(took("kill"), 50)),
    rtoP99Ms: rounded(percentile(took("kill"), 99)),
    blackHoleRtoP50Ms: rounded(percentile(took("black hole"), 50)),
    blackHoleRtoP99Ms: rounded(percentile(took("black hole"), 99)),
    rpoP99Ms: lossP99(resumed.map(({ rolledBackMs }) => rolledBackMs)),
    classBRpoP99Ms: lossP99(resumed.map(({ documentLostMs }) => documentLostMs)),
  };
}

function lossP99(lossesMs: readonly number[]): number {
  return rounded(percentile(lossesMs, 99));
}

function described(resumptions: readonly Resumption[]): string {
  const took = resumptions.flatMap(({ tookMs }) => tookMs ?? []);
  const [p50, p99] = [50, 99].map((percent) => rounded(percentile(took, percent)));
  const back = Math.max(0, ...resumptions.map(({ rolledBackMs }) => rolledBackMs));
  return `${took.length} of ${resumptions.length} resumed, p50 ${p50} p99 ${p99} ms, ${back} ms rolled back at most`;
}
