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
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../../shared/clock.ts";
import { scenarioNamed } from "../../k6/scenarios.ts";
import type { CapacityPlan } from "../../load/capacity/capacity-step.ts";
import { servedOf, untilEmpty } from "../../load/capacity/search-capacity.ts";
import {
  broken,
  levelText,
  type Served,
  type ServiceLevel,
} from "../../load/capacity/service-level.ts";
import { findK6 } from "../../load/k6-binary.ts";
import { bundleScript } from "../../load/k6-bundle.ts";
import { parametersOf } from "../../load/options.ts";
import { runScenario } from "../../load/run.ts";
import { regionLoads, ServerWatch } from "../../load/server-watch.ts";
import type { LoadSummary } from "../../load/summary.ts";
import { startLocalTarget, type Target } from "../../load/target.ts";
import { type Benchmark, percentile, rounded } from "../benchmark.ts";
import { Child } from "../child.ts";
import { interruption } from "../interruption.ts";
import { allowedProcessors, moveTo } from "../processors.ts";
import { findLimit, type Tried } from "./find-limit.ts";
import type { LeanAnswer, LeanQuestion } from "./lean-crowd.ts";
import { slowDown } from "./slow-node.ts";

const LEAN_CROWD = fileURLToPath(import.meta.resolve("./lean-crowd.ts"));
/** One of so many decodes everything, which costs k6 far more than anything else. */
const OBSERVERS_ONE_OF = 10;
const SLOW_NODE_OBSERVERS = 5;
/** A run that takes so much longer than asked for has broken. */
const LATE_MS = 30_000;
const ARRIVALS_PER_S = 25;
const LEVEL: ServiceLevel = {
  echoP99Ms: 250,
  tickP99Ms: 50,
  joinP99Ms: 5_000,
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
  playS: 6,
  generator: { first: 50, most: MOST, repeats: 1, resolution: 0.25 },
  node: { first: 20, most: MOST, repeats: 1, resolution: 0.25 },
};

export const loadBenchmark: Benchmark = {
  name: "load",
  description: "players one k6 drives on one core; a node's capacity by k6 and by lean sockets",
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
        const bench = {
          target,
          dir,
          k6Binary,
          script,
          generator,
          servers,
          signal,
          killSignal,
          say,
        };
        return await new LoadBench(bench).measure(quick ? QUICK : FULL);
      } finally {
        await target.stop();
      }
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
};

interface LoadBenchOptions {
  readonly target: Target;
  readonly dir: string;
  readonly k6Binary: string;
  readonly script: string;
  /** k6's processor, and that of everything else. */
  readonly generator: number;
  readonly servers: number;
  readonly signal: AbortSignal;
  readonly killSignal: AbortSignal;
  readonly say: (line: string) => void;
}

interface LoadRun {
  readonly players: number;
  readonly playS: number;
  /** One of so many decodes everything. */
  readonly observers: number;
}

class LoadBench {
  readonly #options: LoadBenchOptions;
  readonly #region: string;
  #runs = 0;

  constructor(options: LoadBenchOptions) {
    this.#options = options;
    const [region = ""] = options.target.world?.regions.keys() ?? [];
    this.#region = region;
  }

  async measure({ playS, generator, node }: Plan) {
    const { say, servers } = this.#options;
    say(`service level: ${levelText(LEVEL)}`);
    say("k6 on one processor, a whole node on another");
    let best: LoadSummary | undefined;
    const driven = await findLimit(
      generator,
      async (players) => {
        const summary = await this.#k6Run({ players, playS, observers: OBSERVERS_ONE_OF });
        const tried = this.#triedOf(summary, players);
        const wrong = [
          ...tried.wrong,
          ...(isFull(summary, players) ? ["k6 has no time to spare"] : []),
        ];
        if (wrong.length === 0) best = summary;
        return { ...tried, wrong };
      },
      say,
    );
    const end = await slowDown(this.#nodePid, servers);
    try {
      say("a slow node, loaded by k6");
      const byK6 = await findLimit(
        node,
        async (players) => {
          const run = { players, playS, observers: slowNodeObservers(players) };
          return this.#triedOf(await this.#k6Run(run), players);
        },
        say,
      );
      say("the same node, loaded by lean sockets");
      const byRooms = await findLimit(
        node,
        async (players) => {
          const run = { players, playS, observers: slowNodeObservers(players) };
          return triedOf(await this.#leanRun(run));
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
        capacityK6: byK6.players,
        capacityRooms: byRooms.players,
        capacityRatio: rounded(byK6.players / byRooms.players),
      };
    } finally {
      await end();
    }
  }

  get #nodePid(): number {
    const [node] = this.#options.target.world?.regions.values() ?? [];
    if (node?.pid === undefined) throw new Error("the node does not run");
    return node.pid;
  }

  async #k6Run({ players, playS, observers }: LoadRun): Promise<LoadSummary> {
    const { target, k6Binary, script, generator, signal, killSignal } = this.#options;
    const scenario = scenarioNamed("steady-play");
    if (!scenario) throw new Error("there is no steady-play");
    await this.#empty();
    this.#runs += 1;
    const outDir = join(this.#options.dir, `k6-${this.#runs}`);
    mkdirSync(outDir);
    const given = {
      PLAYERS: String(players),
      REGION: this.#region,
      DURATION_S: String(playS),
      RATE: String(ARRIVALS_PER_S),
      OBSERVERS: String(observers),
    };
    const summary = await runScenario({
      scenario,
      parameters: parametersOf({ scenario, given }),
      target,
      k6Binary,
      script,
      outDir,
      clock: systemClock,
      say: () => {},
      processor: generator,
      warmUpPlayers: players,
      withinMs: (players / ARRIVALS_PER_S + playS) * 1_000 + LATE_MS,
      signal,
      killSignal,
    });
    signal.throwIfAborted();
    if (summary.outcome === "broken") throw new Error(`${summary.problem}`);
    return summary;
  }

  async #leanRun({ players, playS, observers }: LoadRun): Promise<Served> {
    const { target, generator, signal } = this.#options;
    await this.#empty();
    const watch = new ServerWatch(target.ops, systemClock);
    await watch.start();
    const latenesses: number[] = [];
    const cancel = systemClock.every(1_000, () => {
      const loads = watch.status ? regionLoads(watch.status) : [];
      const all = loads.filter((load) => load.regionId === this.#region);
      for (const load of all) if (load.players >= players) latenesses.push(load.tickLatenessP99Ms);
    });
    const [crowd] = await Child.start({ file: LEAN_CROWD });
    try {
      moveTo(generator, crowd.pid);
      const question: LeanQuestion = {
        coreUrl: target.coreUrl,
        region: this.#region,
        players,
        perS: ARRIVALS_PER_S,
        playMs: playS * 1_000,
        observers,
      };
      const answer = await crowd.ask<LeanAnswer>(question);
      signal.throwIfAborted();
      return {
        players,
        playing: answer.playing,
        echoP99Ms: p99(answer.echoesMs),
        tickP99Ms: latenesses.length > 0 ? percentile(latenesses, 90) : undefined,
        joinP99Ms: p99(answer.joinsMs),
        failures: answer.failures.length,
      };
    } finally {
      cancel();
      await crowd.stop();
      await watch.stop();
    }
  }

  async #empty(): Promise<void> {
    const { target, signal } = this.#options;
    const isEmpty = await untilEmpty(target.ops, this.#region, { clock: systemClock, signal });
    signal.throwIfAborted();
    if (!isEmpty) throw new Error("the players of before do not go");
  }

  #triedOf(summary: LoadSummary, players: number): Tried {
    const { words, wrong } = triedOf(servedOf(summary, this.#region, players));
    const late = summary.problem === null ? [] : [summary.problem];
    const { k6, servers } = steadyCpu(summary, players);
    return {
      words: `${words}; k6 ${rounded(k6)}, servers ${rounded(servers)} processors`,
      wrong: [...wrong, ...late],
    };
  }
}

function slowNodeObservers(players: number): number {
  return Math.max(1, Math.ceil(players / SLOW_NODE_OBSERVERS));
}

function triedOf(served: Served): Tried {
  const ms = (value: number | undefined) => (value === undefined ? "-" : value.toFixed(0));
  const { echoP99Ms, tickP99Ms, joinP99Ms } = served;
  return {
    wrong: broken(LEVEL, served),
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

function p99(values: readonly number[]): number | undefined {
  return values.length > 0 ? percentile(values, 99) : undefined;
}
