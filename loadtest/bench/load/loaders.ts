/** Two ways of loading the one region of a world with players of the arena, each run on an empty region. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../../shared/clock.ts";
import { scenarioNamed } from "../../k6/scenarios.ts";
import { untilEmpty } from "../../load/capacity/search-capacity.ts";
import type { Served } from "../../load/capacity/service-level.ts";
import { parametersOf } from "../../load/options.ts";
import { runScenario } from "../../load/run.ts";
import { regionLoads, ServerWatch } from "../../load/server-watch.ts";
import type { LoadSummary } from "../../load/summary.ts";
import type { Target } from "../../load/target.ts";
import { percentile } from "../benchmark.ts";
import { Child } from "../child.ts";
import { moveTo } from "../processors.ts";
import type { LeanAnswer, LeanQuestion } from "./lean-crowd.ts";

const LEAN_CROWD = fileURLToPath(import.meta.resolve("./lean-crowd.ts"));
const ARRIVALS_PER_S = 25;
/** A run that takes so much longer than asked for has broken. */
const LATE_MS = 30_000;

export interface LoadersOptions {
  readonly target: Target;
  /** Of what k6 writes. */
  readonly dir: string;
  readonly k6Binary: string;
  readonly script: string;
  /** The generator's. */
  readonly processor: number;
  readonly signal: AbortSignal;
  readonly killSignal: AbortSignal;
}

export interface LoadRun {
  readonly players: number;
  readonly playS: number;
  /** One of so many decodes everything. */
  readonly observers: number;
}

export class Loaders {
  readonly region: string;
  readonly #options: LoadersOptions;
  #runs = 0;

  constructor(options: LoadersOptions) {
    this.#options = options;
    const [region = ""] = options.target.world?.regions.keys() ?? [];
    this.region = region;
  }

  get nodePid(): number {
    const [node] = this.#options.target.world?.regions.values() ?? [];
    if (node?.pid === undefined) throw new Error("the node does not run");
    return node.pid;
  }

  /** Steady play of k6 on a processor of its own. */
  async byK6({ players, playS, observers }: LoadRun): Promise<LoadSummary> {
    const { target, k6Binary, script, processor, signal, killSignal } = this.#options;
    const scenario = scenarioNamed("steady-play");
    if (!scenario) throw new Error("there is no steady-play");
    await this.#empty();
    this.#runs += 1;
    const outDir = join(this.#options.dir, `k6-${this.#runs}`);
    mkdirSync(outDir);
    const given = {
      PLAYERS: String(players),
      REGION: this.region,
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
      processor,
      warmUpPlayers: players,
      withinMs: (players / ARRIVALS_PER_S + playS) * 1_000 + LATE_MS,
      signal,
      killSignal,
    });
    signal.throwIfAborted();
    if (summary.outcome === "broken") throw new Error(`${summary.problem}`);
    return summary;
  }

  /** The same players as sockets that only count what comes, and clients of the SDK that decode. */
  async bySockets({ players, playS, observers }: LoadRun): Promise<Served> {
    const { target, processor, signal } = this.#options;
    await this.#empty();
    const watch = new ServerWatch(target.ops, systemClock);
    await watch.start();
    const latenesses: number[] = [];
    const cancel = systemClock.every(1_000, () => {
      const loads = watch.status ? regionLoads(watch.status) : [];
      const all = loads.filter((load) => load.regionId === this.region);
      for (const load of all) if (load.players >= players) latenesses.push(load.tickLatenessP99Ms);
    });
    const [crowd] = await Child.start({ file: LEAN_CROWD });
    const stop = () => void crowd.stop().catch(() => {});
    try {
      moveTo(processor, crowd.pid);
      const question: LeanQuestion = {
        coreUrl: target.coreUrl,
        region: this.region,
        players,
        perS: ARRIVALS_PER_S,
        playMs: playS * 1_000,
        observers,
      };
      signal.addEventListener("abort", stop, { once: true });
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
      signal.removeEventListener("abort", stop);
      await crowd.stop();
      await watch.stop();
    }
  }

  async #empty(): Promise<void> {
    const { target, signal } = this.#options;
    const isEmpty = await untilEmpty(target.ops, this.region, { clock: systemClock, signal });
    signal.throwIfAborted();
    if (!isEmpty) throw new Error("the players of before do not go");
  }
}

function p99(values: readonly number[]): number | undefined {
  return values.length > 0 ? percentile(values, 99) : undefined;
}
