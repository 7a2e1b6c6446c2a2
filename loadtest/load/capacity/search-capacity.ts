/**
 * Loads of growing size, each a run of steady play of its own on an empty region, until a service level breaks; which
 * comes next is decided by `capacity-step.ts`.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { OpsClientOptions } from "../../../core/ops/cli-client.ts";
import { percentile } from "../../bench/benchmark.ts";
import { checkedOutCommit, machineText } from "../machine.ts";
import { parametersOf, type RunOptions } from "../options.ts";
import { writeSummary } from "../output.ts";
import { runScenario } from "../run.ts";
import type { Surroundings } from "../scenario-run.ts";
import { ServerWatch } from "../server-watch.ts";
import type { LoadSummary, LoadWindow } from "../summary.ts";
import type { Target } from "../target.ts";
import { UsageError } from "../usage-error.ts";
import type { CapacityOptions } from "./capacity-options.ts";
import { type CapacityResult, doubtsOf } from "./capacity-result.ts";
import { beginSearch, nextOf, stepOf, stepsMaxOf } from "./capacity-step.ts";
import { liftLimits } from "./lift-limits.ts";
import { broken, levelText, type Served } from "./service-level.ts";

export interface SearchSetup {
  readonly run: RunOptions;
  readonly capacity: CapacityOptions;
  readonly target: Target;
  readonly k6Binary: string;
  /** What k6 runs. */
  readonly script: string;
  readonly dir: string;
  readonly around: Surroundings;
  /** k6 runs on that processor alone. */
  readonly processor?: number;
}

/** Seats of players who were cut off are kept for a while. */
const EMPTY_WITHIN_MS = 90_000;
const RATE_MIN = 10;
/** All have come within so many seconds. */
const ARRIVE_S = 8;
/** A step that takes so much longer has broken, whatever else it shows. */
const LATE_S = 60;
/** Who decodes everything costs k6 a hundred times what the others do, and so many see enough. */
const OBSERVERS_MAX = 10;

/** @throws when it is called off, or a step can't be run */
export async function searchCapacity(setup: SearchSetup): Promise<CapacityResult> {
  const { capacity, around } = setup;
  const { plan, level, region } = capacity;
  around.say(`${region}: ${levelText(level)}; at most ${stepsMaxOf(plan)} steps`);
  const steps: CapacityResult["steps"] = [];
  let last: LoadSummary | undefined;
  for (let search = beginSearch(plan); ; ) {
    const next = nextOf(search);
    if (next.kind === "limit") {
      if (!last) throw new Error("no step was made");
      const nodes = nodesOf(last, region);
      return {
        version: 1,
        regionId: region,
        playersPerNode: Math.floor(next.players / nodes),
        nodes,
        doubts: doubtsOf(steps, next.broke),
        serviceLevel: levelText(level),
        build: buildOf(last, region),
        commit: checkedOutCommit() ?? null,
        measuredAt: new Date(around.clock.nowMs()).toISOString(),
        hardware: machineText(last.machine),
        limits: [...search.limits],
        steps,
        stored: false,
      };
    }
    const { players } = next;
    await regionEmpty(setup);
    if (setup.target.ops) await liftLimits(setup.target.ops, region);
    last = await loadWith(setup, players, search.steps + 1);
    around.signal.throwIfAborted();
    const served = servedOf(last, region, players);
    const wrong = [...broken(level, served), ...(last.problem === null ? [] : [last.problem])];
    steps.push({
      players,
      broken: wrong,
      echoP99Ms: served.echoP99Ms ?? null,
      tickP99Ms: served.tickP99Ms ?? null,
      joinP99Ms: served.joinP99Ms ?? null,
      generatorShare: last.generator.share,
      generatorBound: last.generator.isBottleneck,
      crowded: last.generator.isCrowded,
    });
    around.say(stepText(players, served, wrong, last));
    search = stepOf(search, wrong.length === 0);
  }
}

async function loadWith(setup: SearchSetup, players: number, step: number): Promise<LoadSummary> {
  const { run, capacity, target, k6Binary, script, around, processor } = setup;
  const outDir = join(setup.dir, `step-${step}`);
  mkdirSync(outDir, { recursive: true });
  const { output: _quiet, ...rest } = around;
  const summary = await runScenario({
    ...rest,
    say: () => {},
    scenario: run.scenario,
    parameters: {
      ...parametersOf(run),
      PLAYERS: String(players),
      REGION: capacity.region,
      DURATION_S: String(capacity.stepS),
      OBSERVERS: run.given.OBSERVERS ?? String(observersOneOf(players)),
      RATE: run.given.RATE ?? String(Math.max(RATE_MIN, Math.ceil(players / ARRIVE_S))),
    },
    target,
    k6Binary,
    script,
    outDir,
    warmUpPlayers: players,
    withinMs: (ARRIVE_S + capacity.stepS + LATE_S) * 1_000,
    ...(processor !== undefined && { processor }),
  });
  writeSummary(outDir, summary);
  if (summary.outcome === "broken") throw new Error(`a step could not be run: ${summary.problem}`);
  return summary;
}

function observersOneOf(players: number): number {
  return Math.max(OBSERVERS_MAX, Math.ceil(players / OBSERVERS_MAX));
}

/** Who played in the step before is gone: each step begins alike. */
async function regionEmpty({ target, capacity, around }: SearchSetup): Promise<void> {
  const isEmpty = await untilEmpty(target.ops, capacity.region, around);
  around.signal.throwIfAborted();
  // Others' players are part of what the region carries; the limit is then too low rather than too high.
  if (!isEmpty) around.say(`${capacity.region} is not empty: others play there, who count as load`);
}

/**
 * Waits until nobody plays in a region, nor has a seat there.
 * @returns whether it came to that
 * @throws UsageError when there is no such region
 */
export async function untilEmpty(
  ops: OpsClientOptions | undefined,
  regionId: string,
  { clock, signal }: Pick<Surroundings, "clock" | "signal">,
): Promise<boolean> {
  const watch = new ServerWatch(ops, clock);
  await watch.start();
  try {
    return await watch.until(
      ({ regions }) => {
        const region = regions.find((one) => one.regionId === regionId);
        if (!region) throw new UsageError(`there is no region ${regionId}`);
        return region.nodes.every(({ connected, reserved }) => connected + reserved === 0);
      },
      { withinMs: EMPTY_WITHIN_MS, signal },
    );
  } finally {
    await watch.stop();
  }
}

/** Pure. From when everybody played, or of all windows when that never came about. */
export function servedOf(
  summary: Pick<LoadSummary, "windows" | "trends" | "totals">,
  region: string,
  players: number,
): Served {
  const { windows, trends, totals } = summary;
  const full = windows.filter((window) => window.players >= players);
  const loads = (full.length > 0 ? full : windows).flatMap((window) => loadOf(window, region));
  const latenesses = loads.map(({ tickLatenessP99Ms }) => tickLatenessP99Ms);
  // Of each second's p99 the one that nine of ten don't exceed: one late second is noise, two of ten are not.
  const tickP99Ms = latenesses.length > 0 ? percentile(latenesses, 90) : undefined;
  return {
    players,
    playing: totals.playersMost,
    echoP99Ms: trends.echo?.p99,
    tickP99Ms,
    joinP99Ms: joinP99Of(summary),
    failures: Object.values(totals.failures).reduce((sum, count) => sum + count, 0),
  };
}

/** Joins come before everybody plays, so the run's own percentiles have none of them. */
function joinP99Of({
  windows,
  trends,
}: Pick<LoadSummary, "windows" | "trends">): number | undefined {
  const each = windows.flatMap(({ join }) => (join ? [join.p99] : []));
  if (each.length > 0) return Math.max(...each);
  return trends.join?.p99;
}

function loadOf({ regions }: LoadWindow, region: string) {
  return regions.filter(({ regionId }) => regionId === region);
}

/** @throws when nodes of several builds took the load: whose limit would it be? */
function buildOf({ windows }: LoadSummary, region: string): string {
  const builds = new Set(
    windows.flatMap((window) => loadOf(window, region)).flatMap((one) => one.builds),
  );
  const [build, another] = builds;
  if (build !== undefined && another === undefined) return build;
  throw new Error(`the nodes of ${region} run ${builds.size} builds (${[...builds].join(", ")})`);
}

function nodesOf({ windows }: LoadSummary, region: string): number {
  return Math.max(
    1,
    ...windows.flatMap((window) => loadOf(window, region)).map((one) => one.nodes),
  );
}

function stepText(players: number, served: Served, wrong: string[], { generator }: LoadSummary) {
  const ms = (value: number | undefined) => (value === undefined ? "-" : value.toFixed(0));
  const { echoP99Ms, tickP99Ms, joinP99Ms } = served;
  const share = generator.share === null ? "" : `, k6 ${Math.round(generator.share * 100)}% of cpu`;
  const bound = generator.isBottleneck ? ", k6 had no time to spare" : "";
  const figures = `echo p99 ${ms(echoP99Ms)}, tick ${ms(tickP99Ms)}, join ${ms(joinP99Ms)} ms${share}${bound}`;
  const mark = wrong.length === 0 ? "✓" : "✗";
  return `${mark} ${players} players: ${figures}${wrong.length > 0 ? `: ${wrong.join(", ")}` : ""}`;
}
