/**
 * What k6 can do as a generator, and whether the capacity that it finds is the node's.
 *
 * - `playersPerCore`: the most players of steady play, one of ten of whom decodes every patch, that one k6 process drives
 *   on one processor with time to spare, the arena's echo within the service level. The servers have another processor.
 * - `generatorShare`: k6's part of the processor time that k6 and all servers took together, with those players.
 * - `k6PerPlayerUs`, `serversPerPlayerUs`: processor time for a player and second, of the same run.
 * - `capacityK6`, `capacityRooms`: the most players that a slow node (see `slow-node.ts`) serves within the service level,
 *   loaded by k6, and by sockets as those of the `rooms` benchmark, with the same inputs, rooms and observers.
 * - `capacityRatio`: the first over the second.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CapacityPlan } from "../../load/capacity/capacity-step.ts";
import { servedOf } from "../../load/capacity/search-capacity.ts";
import {
  broken,
  levelText,
  type Served,
  type ServiceLevel,
} from "../../load/capacity/service-level.ts";
import { findK6 } from "../../load/k6-binary.ts";
import { bundleScript } from "../../load/k6-bundle.ts";
import type { LoadSummary } from "../../load/summary.ts";
import { startLocalTarget } from "../../load/target.ts";
import { type Benchmark, rounded } from "../benchmark.ts";
import { interruption } from "../interruption.ts";
import { allowedProcessors, moveTo } from "../processors.ts";
import { findLimit, type Tried } from "./find-limit.ts";
import { Loaders } from "./loaders.ts";
import { slowDown } from "./slow-node.ts";

type Say = (line: string) => void;

/** One of so many decodes everything, which costs k6 far more than anything else. */
const OBSERVERS_ONE_OF = 10;
const SLOW_NODE_OBSERVERS = 5;
const LEVEL: ServiceLevel = {
  echoP99Ms: 250,
  tickP99Ms: 50,
  joinP99Ms: 5_000,
  failuresShare: 0.01,
};
/**
 * A node of little weight waits for its turn some tens of ms whatever its load; past its limit it falls behind by
 * seconds, under any way of loading.
 */
const SLOW_NODE_LEVEL: ServiceLevel = {
  echoP99Ms: 500,
  tickP99Ms: 250,
  joinP99Ms: 10_000,
  failuresShare: 0.01,
};
const MOST = 2_000;

interface Plan {
  readonly playS: number;
  readonly generator: CapacityPlan;
  readonly node: CapacityPlan;
}

const FULL: Plan = {
  playS: 15,
  generator: { first: 50, most: MOST, repeats: 2, resolution: 0.1 },
  node: { first: 20, most: MOST, repeats: 3, resolution: 0.1 },
};
const QUICK: Plan = {
  playS: 8,
  generator: { first: 50, most: MOST, repeats: 1, resolution: 0.25 },
  node: { first: 20, most: MOST, repeats: 1, resolution: 0.25 },
};

export const loadBenchmark: Benchmark = {
  name: "load",
  description: "players one k6 drives on one core; a node's capacity by k6 and by lean sockets",
  goals: [
    {
      figure: "capacityRatio",
      words: "a node's capacity by k6 against that by lean sockets",
      atLeast: 0.75,
      atMost: 1.25,
    },
  ],
  async run({ quick, say }) {
    const signal = interruption();
    const [servers, generator] = allowedProcessors();
    if (servers === undefined || generator === undefined) {
      throw new Error("load needs Linux and two processors: one for k6, one for the servers");
    }
    // And with it all that it starts.
    moveTo(servers);
    const dir = mkdtempSync(join(tmpdir(), "meridian-bench-load-"));
    try {
      const k6Binary = await findK6({ say, signal });
      const script = await bundleScript("steady-play", dir);
      const killSignal = new AbortController().signal;
      const env = {
        REGION_CAPACITY: String(MOST * 2),
        ADMISSION_HEADROOM: "0",
        ADMISSIONS_PER_SECOND: "10000",
        ADMISSIONS_BURST: "10000",
      };
      const world = { regions: 1, wan: false, dns: false, env, say: () => {}, signal, killSignal };
      const target = await startLocalTarget(world);
      try {
        const processor = generator;
        const options = { target, dir, k6Binary, script, processor, signal, killSignal };
        return await measure(new Loaders(options), { servers, plan: quick ? QUICK : FULL, say });
      } finally {
        await target.stop();
      }
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
};

async function measure(
  loaders: Loaders,
  { servers, plan, say }: { readonly servers: number; readonly plan: Plan; readonly say: Say },
) {
  const { playS, generator, node } = plan;
  const { region } = loaders;
  say(`service level: ${levelText(LEVEL)}`);
  say("k6 on one processor, a whole node on another");
  let best: LoadSummary | undefined;
  const driven = await findLimit(
    generator,
    async (players) => {
      const summary = await loaders.byK6({ players, playS, observers: OBSERVERS_ONE_OF });
      const tried = triedByK6(summary, { region, players, level: LEVEL });
      const wrong = [
        ...tried.wrong,
        ...(isFull(summary, players) ? ["k6 has no time to spare"] : []),
      ];
      if (wrong.length === 0) best = summary;
      return { ...tried, wrong };
    },
    say,
  );
  const end = await slowDown(loaders.nodePid, servers);
  try {
    say(`a slow node, loaded by k6: ${levelText(SLOW_NODE_LEVEL)}`);
    const byK6 = await findLimit(
      node,
      async (players) => {
        const run = { players, playS, observers: slowNodeObservers(players) };
        const of = { region, players, level: SLOW_NODE_LEVEL };
        return triedByK6(await loaders.byK6(run), of);
      },
      say,
    );
    say("the same node, loaded by lean sockets");
    const byRooms = await findLimit(
      node,
      async (players) => {
        const run = { players, playS, observers: slowNodeObservers(players) };
        return triedOf(await loaders.bySockets(run), SLOW_NODE_LEVEL);
      },
      say,
    );
    const cpu = best && steadyCpu(best, driven.players);
    return {
      playersPerCore: driven.players,
      generatorShare: cpu ? rounded(cpu.k6 / (cpu.k6 + cpu.servers)) : null,
      k6PerPlayerUs: cpu ? Math.round((cpu.k6 * 1_000_000) / driven.players) : null,
      serversPerPlayerUs: cpu ? Math.round((cpu.servers * 1_000_000) / driven.players) : null,
      observersOneOf: OBSERVERS_ONE_OF,
      serviceLevel: levelText(LEVEL),
      slowNodeLevel: levelText(SLOW_NODE_LEVEL),
      capacityK6: byK6.players,
      capacityRooms: byRooms.players,
      capacityRatio: rounded(byK6.players / byRooms.players),
    };
  } finally {
    await end();
  }
}

interface Judged {
  readonly region: string;
  readonly players: number;
  readonly level: ServiceLevel;
}

function triedByK6(summary: LoadSummary, { region, players, level }: Judged): Tried {
  const { words, wrong } = triedOf(servedOf(summary, region, players), level);
  const late = summary.problem === null ? [] : [summary.problem];
  const { k6, servers } = steadyCpu(summary, players);
  return {
    words: `${words}; k6 ${rounded(k6)}, servers ${rounded(servers)} processors`,
    wrong: [...wrong, ...late],
  };
}

function slowNodeObservers(players: number): number {
  return Math.max(1, Math.ceil(players / SLOW_NODE_OBSERVERS));
}

function triedOf(served: Served, level: ServiceLevel): Tried {
  const ms = (value: number | undefined) => (value === undefined ? "-" : value.toFixed(0));
  const { echoP99Ms, tickP99Ms, joinP99Ms } = served;
  return {
    wrong: broken(level, served),
    words: `echo p99 ${ms(echoP99Ms)}, tick ${ms(tickP99Ms)}, join ${ms(joinP99Ms)} ms`,
  };
}

/** While everybody played, processors on average; NaN when that never was. */
function steadyCpu({ windows }: LoadSummary, players: number) {
  const cpus = windows.flatMap((one) => (one.players >= players && one.cpu ? [one.cpu] : []));
  const average = (values: readonly number[]) =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  return {
    k6: average(cpus.map(({ k6 }) => k6)),
    servers: average(cpus.map(({ servers }) => servers ?? 0)),
  };
}

/** More than nine tenths of its processor is no time to spare: collecting garbage has to fit in as well. */
function isFull(summary: LoadSummary, players: number): boolean {
  return !(steadyCpu(summary, players).k6 < 0.9);
}
