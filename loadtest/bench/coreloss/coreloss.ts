/**
 * The core is lost, again and again: the process that leads, all of its processes, or the database's primary. How long
 * until players are served again, and what it costs those who play and what they own. Then all of it is gone for
 * minutes under players, and at last everything is upgraded under them.
 *
 * A whole local world: two cores with HAProxy in front, a primary and its standby, two regions. Supervisors start what
 * ended after a second, as an orchestrator does. The next loss comes once every core is there again and the standby
 * has all that was committed.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LocalWorld, startLocalWorld } from "../../../infra/local/world.ts";
import { systemClock } from "../../../shared/clock.ts";
import { auditNow } from "../../../test/faults/audits.ts";
import { WORLD_OPTIONS } from "../../../test/faults/campaign.ts";
import * as checks from "../../../test/faults/checks.ts";
import { repairDisasters, strikeCenter } from "../../../test/faults/disasters.ts";
import { Traders } from "../../../test/faults/value/traders.ts";
import { WatchedPlayers } from "../../../test/faults/watched-players.ts";
import { rollingUpgrade } from "../../../test/upgrades/rolling.ts";
import { allRegionsActive } from "../../../test/world.ts";
import { type Benchmark, percentile, rounded } from "../benchmark.ts";
import { interruption } from "../interruption.ts";
import { coreAway } from "./core-away.ts";
import { servedAgain } from "./served-again.ts";

type Loss = "kill-leader" | "kill-cores" | "kill-primary";

interface Plan {
  readonly rounds: number;
  readonly awayMs: number;
  readonly upgradePlayers: number;
}

const LOSSES: readonly Loss[] = ["kill-leader", "kill-primary", "kill-cores"];
const FULL: Plan = { rounds: 34, awayMs: 600_000, upgradePlayers: 40 };
const QUICK: Plan = { rounds: 1, awayMs: 10_000, upgradePlayers: 8 };
const PLAYERS_PER_REGION = 5;
const TRADERS_PER_REGION = 3;
const RESTART_DELAY_MS = 1_000;
const SEED = 1;

export const corelossBenchmark: Benchmark = {
  name: "coreloss",
  description:
    "leader, all cores or the primary are killed: how soon players are served, what is lost",
  goals: [
    { figure: "runs", words: "losses", atLeast: 100, fullOnly: true },
    {
      figure: "serveAgainP99Ms",
      words: "until a player joins and money moves, p99",
      unit: "ms",
      atMost: 15_000,
    },
    { figure: "classALost", words: "operations lost", atMost: 0 },
    { figure: "classADoubled", words: "operations doubled", atMost: 0 },
    { figure: "roomDisconnects", words: "players who lost their room", atMost: 0 },
    { figure: "backlogDrainS", words: "until the backlog is drained", unit: "s", atMost: 60 },
    {
      figure: "tickP99ChangePct",
      words: "longer ticks meanwhile, p99",
      unit: "%",
      atMost: 5,
      fullOnly: true,
    },
    { figure: "rollingUpgrade.disconnects", words: "disconnects in a rolling upgrade", atMost: 0 },
    { figure: "rollingUpgrade.failedJoins", words: "joins that failed in it", atMost: 0 },
  ],
  async run({ quick, say }) {
    const signal = interruption();
    const plan = quick ? QUICK : FULL;
    const dir = mkdtempSync(join(tmpdir(), "meridian-coreloss-"));
    try {
      const world = await startLocalWorld({
        dir,
        ...WORLD_OPTIONS,
        regions: 2,
        cores: 2,
        standby: true,
        restartDelayMs: RESTART_DELAY_MS,
        pages: false,
        signal,
      });
      let figures: Readonly<Record<string, unknown>>;
      try {
        figures = await lose(world, plan, { say, signal });
      } finally {
        await world.stop();
      }
      const upgrade = await rollingUpgrade({ players: plan.upgradePlayers, say, signal });
      for (const line of upgrade.wrong) say(`✗ ${line}`);
      const { disconnects, failedJoins, lost, doubled, joined, pausesMs } = upgrade;
      return {
        ...figures,
        rollingUpgrade: {
          disconnects,
          failedJoins,
          lost,
          doubled,
          joined,
          pauseP99Ms: rounded(percentile(pausesMs, 99)),
        },
      };
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
};

async function lose(
  world: LocalWorld,
  { rounds, awayMs }: Plan,
  { say, signal }: { readonly say: (line: string) => void; readonly signal: AbortSignal },
) {
  await allRegionsActive(world);
  const common = { url: world.core.url, regionIds: [...world.regions.keys()], seed: SEED };
  const players = new WatchedPlayers({ ...common, perRegion: PLAYERS_PER_REGION });
  const { closed } = players;
  const traders = new Traders({ ...common, perRegion: TRADERS_PER_REGION, closed });
  const end = new AbortController();
  const ended = Promise.all([players.run(end.signal), traders.run(end.signal)]);
  const took = new Map<Loss, number[]>(LOSSES.map((loss) => [loss, []]));
  const disturbed = () => checks.disturbedAmong(players.all).length;
  let disconnects = 0;
  try {
    await checks.allPlay([...players.all, ...traders.all]);
    const losses = Array.from({ length: rounds }, () => LOSSES).flat();
    for (const [index, loss] of losses.entries()) {
      signal.throwIfAborted();
      for (const player of players.all) player.forget();
      const beganMs = systemClock.monotonicMs();
      const struck = strikeCenter(loss, 0, world);
      const servedMs = await servedAgain({ url: world.core.url, traders, beganMs, signal });
      await struck;
      took.get(loss)?.push(servedMs);
      await repairDisasters(world);
      await checks.allPlay([...players.all, ...traders.all]);
      disconnects += disturbed();
      say(`${index + 1}/${losses.length} ${loss}: served again after ${Math.round(servedMs)} ms`);
    }
    for (const player of players.all) player.forget();
    const away = await coreAway(world, { awayMs, players, say, signal });
    disconnects += disturbed();
    await checks.allPlay([...players.all, ...traders.all]);
    end.abort();
    await ended;
    const audit = await auditNow(world, traders);
    const all = [...took.values()].flat();
    const of = (loss: Loss) => took.get(loss) ?? [];
    return {
      runs: all.length,
      serveAgainP50Ms: rounded(percentile(all, 50)),
      serveAgainP99Ms: rounded(percentile(all, 99)),
      leaderP50Ms: rounded(percentile(of("kill-leader"), 50)),
      primaryP50Ms: rounded(percentile(of("kill-primary"), 50)),
      coresP50Ms: rounded(percentile(of("kill-cores"), 50)),
      operations: audit.promised,
      classALost: audit.lost.length,
      classADoubled: audit.doubled.length,
      roomDisconnects: disconnects,
      awayS: awayMs / 1_000,
      ...away,
    };
  } finally {
    end.abort();
    await ended;
  }
}
