/** Puts a run's summary together from what was measured. Pure. */

import type { Scenario } from "../k6/scenarios.ts";
import type { Struck } from "./acts.ts";
import { type Cpu, judgeGenerator } from "./generator.ts";
import { K6_THRESHOLDS_FAILED, type K6End } from "./k6-process.ts";
import {
  type LoadEvent,
  type LoadSummary,
  type LoadWindow,
  type RegionLoad,
  SUMMARY_VERSION,
  type ThresholdResult,
} from "./summary.ts";
import type { Totals, WindowFigures } from "./windows.ts";

/** What was seen of the servers and of processors in a window. */
export interface Sight {
  readonly regions: readonly RegionLoad[];
  readonly cpu: Cpu | undefined;
}

export interface Measured {
  readonly scenario: Pick<Scenario, "name" | "what">;
  readonly parameters: Readonly<Record<string, string>>;
  readonly target: LoadSummary["target"];
  readonly machine: LoadSummary["machine"];
  readonly commit: string | undefined;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly windowMs: number;
  readonly windows: readonly WindowFigures[];
  readonly sights: ReadonlyMap<number, Sight>;
  readonly totals: Totals;
  readonly thresholds: readonly ThresholdResult[];
  readonly events: readonly LoadEvent[];
  readonly end: K6End;
  readonly interrupted: boolean;
  /** Ended because it took too long. */
  readonly isLate: boolean;
  /** What went wrong beside k6. */
  readonly problem: string | undefined;
  /** Processors that k6 might use. */
  readonly k6Processors: number;
  readonly struck: Struck | undefined;
}

export function buildSummary(measured: Measured): LoadSummary {
  const { scenario, totals, windowMs, sights, struck, windows } = measured;
  const { counters, trends } = totals;
  const cpus = windows.flatMap(({ index }) => sights.get(index)?.cpu ?? []);
  const problem = problemOf(measured);
  return {
    version: SUMMARY_VERSION,
    scenario: scenario.name,
    what: scenario.what,
    outcome: outcomeOf(measured, problem),
    problem: problem ?? null,
    startedAt: new Date(measured.startedAtMs).toISOString(),
    durationS: tenths((measured.endedAtMs - measured.startedAtMs) / 1_000),
    windowS: windowMs / 1_000,
    parameters: { ...measured.parameters },
    target: measured.target,
    machine: measured.machine,
    commit: measured.commit ?? null,
    generator: judgeGenerator(cpus, {
      processors: measured.k6Processors,
      machineProcessors: measured.machine.processors,
      dropped: counters.dropped_iterations ?? 0,
      lagP95Ms: trends.generator_lag_ms?.p95,
    }),
    thresholds: [...measured.thresholds],
    checks: Object.entries(totals.checks).map(([name, counts]) => ({ name, ...counts })),
    totals: {
      playersMost: totals.playersMost,
      joins: totals.joins,
      inputs: counters.inputs_sent ?? 0,
      patches: counters.patches_seen ?? 0,
      refusals: counters.polite_refusals ?? 0,
      failures: { ...totals.failures },
      lateSamples: totals.late,
    },
    trends: named(trends),
    drill: struck ? drillOf(struck, trends.downtime_ms?.count ?? 0) : null,
    events: [...measured.events],
    windows: windows.map((figures) => windowOf(figures, windowMs, sights.get(figures.index))),
  };
}

function windowOf(figures: WindowFigures, windowMs: number, sight: Sight | undefined): LoadWindow {
  const { index, counters, trends, players, joins, queue } = figures;
  return {
    atS: (index * windowMs) / 1_000,
    players,
    joins,
    queue,
    failures: counters.failures ?? 0,
    inputs: counters.inputs_sent ?? 0,
    patches: counters.patches_seen ?? 0,
    refusals: counters.polite_refusals ?? 0,
    ...named(trends),
    regions: [...(sight?.regions ?? [])],
    ...(sight?.cpu && { cpu: sight.cpu }),
  };
}

function named(trends: Totals["trends"]): LoadSummary["trends"] {
  const { login_ms, join_ms, input_echo_ms, downtime_ms, look_up_ms, generator_lag_ms } = trends;
  return {
    ...(login_ms && { login: login_ms }),
    ...(join_ms && { join: join_ms }),
    ...(input_echo_ms && { echo: input_echo_ms }),
    ...(downtime_ms && { downtime: downtime_ms }),
    ...(look_up_ms && { lookUp: look_up_ms }),
    ...(generator_lag_ms && { generatorLag: generator_lag_ms }),
  };
}

function drillOf({ regionId, how, players }: Struck, back: number) {
  return { regionId, how, players, back, missing: Math.max(0, players - back) };
}

function outcomeOf({ interrupted, isLate, end }: Measured, problem: string | undefined) {
  if (interrupted) return "interrupted";
  if (isLate) return "failed";
  if (problem !== undefined) return "broken";
  return end.code === 0 ? "passed" : "failed";
}

function problemOf({ problem, end, interrupted, isLate }: Measured): string | undefined {
  if (problem !== undefined) return problem;
  if (isLate) return "it did not end in time";
  if (interrupted || end.code === 0 || end.code === K6_THRESHOLDS_FAILED) return undefined;
  const [line = ""] = end.lastWords.split("\n").slice(-1);
  return `k6 ended with ${end.code ?? "a signal"}: ${line}`;
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}
