/**
 * One run of one scenario on one target: k6 is started, watched beside the servers and the processors, and what it
 * showed becomes a summary. Whatever ends it, there is a summary of what there was until then.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { Clock } from "../../shared/clock.ts";
import { type Output, showStatus } from "../bots/terminal.ts";
import type { Scenario } from "../k6/scenarios.ts";
import type { ActContext, Struck } from "./acts.ts";
import { buildSummary } from "./build-summary.ts";
import { CpuWatch } from "./cpu-watch.ts";
import { Gathering } from "./gathering.ts";
import { type K6Process, startK6 } from "./k6-process.ts";
import { checkedOutCommit, describeMachine } from "./machine.ts";
import { ServerWatch } from "./server-watch.ts";
import type { LoadSummary } from "./summary.ts";
import type { Target } from "./target.ts";
import { readThresholds } from "./thresholds.ts";
import { Timeline } from "./timeline.ts";
import { Windows } from "./windows.ts";

/** What is done while it runs. @returns whom it struck, if it was that */
export type Act = (context: ActContext) => Promise<Struck | undefined>;

export interface RunSetup {
  readonly scenario: Scenario;
  readonly parameters: Readonly<Record<string, string>>;
  readonly target: Target;
  readonly k6Binary: string;
  /** What k6 runs. */
  readonly script: string;
  readonly outDir: string;
  readonly clock: Clock;
  /** Told what happens, line by line. */
  readonly say: (line: string) => void;
  /** Where progress is shown; nowhere without. */
  readonly output?: Output;
  readonly act?: Act;
  /** k6 runs on that processor alone. */
  readonly processor?: number;
  /** Percentiles of the whole run begin once so many play. */
  readonly warmUpPlayers?: number;
  /** A run that takes longer is ended, and has failed. */
  readonly withinMs?: number;
  /** Ends the run before its time. */
  readonly signal: AbortSignal;
  /** Ends k6 at once. */
  readonly killSignal: AbortSignal;
}

/** More make plots that nobody can read, and a file that no browser likes. */
const WINDOWS_MAX = 3_600;
/** Arrivals, and who is waited for at the end, beside the time that is asked for. */
const EXTRA_S = 120;
/** For everybody to play before something is done to them. */
const READY_FACTOR = 0.5;
const READY_MIN_MS = 10_000;

/** @throws when k6 can't be started, or the operators' port can't be asked */
export async function runScenario(setup: RunSetup): Promise<LoadSummary> {
  const { scenario, target, outDir, clock, say, signal } = setup;
  const machine = describeMachine(setup.k6Binary);
  const commit = checkedOutCommit();
  const parameters = { ...setup.parameters, CORE_URL: target.coreUrl };
  const windowMs = 1_000 * Math.ceil((durationS(setup) + EXTRA_S) / WINDOWS_MAX);
  const watch = new ServerWatch(target.ops, clock);
  await watch.start();
  const startedAtMs = clock.nowMs();
  const windows = new Windows({ startedAtMs, windowMs, windowsMax: WINDOWS_MAX });
  const summaryFile = join(outDir, "k6-summary.json");
  const { processor } = setup;
  const k6 = await startK6({
    binary: setup.k6Binary,
    script: setup.script,
    env: parameters,
    summaryFile,
    logFile: join(outDir, "k6.log"),
    onSample: (sample) => windows.add(sample),
    ...(processor !== undefined && { processor }),
  }).catch(async (error: unknown) => {
    await watch.stop();
    throw error;
  });
  const cpuWatch = new CpuWatch(
    () => ({ k6: k6.pid, servers: target.serverPids() }),
    () => clock.monotonicMs(),
  );
  const { warmUpPlayers } = setup;
  const gathering = new Gathering({ windows, windowMs, watch, cpuWatch, warmUpPlayers, clock });
  const timeline = new Timeline(() => gathering.passedS, say);
  const stopStatus = setup.output
    ? showStatus(() => gathering.line, setup.output, clock)
    : () => {};
  const acting = beginAct(setup, { k6, watch, timeline });
  let isLate = false;
  const cancelDeadline =
    setup.withinMs === undefined
      ? () => {}
      : clock.after(setup.withinMs, () => {
          isLate = true;
          endInOrder(setup, k6);
        });
  const unlink = endOnSignals(setup, k6);
  try {
    const end = await k6.ended;
    const { struck, problem } = await acting.over();
    const endedAtMs = clock.nowMs();
    windows.finish(endedAtMs);
    return buildSummary({
      scenario,
      parameters,
      target: {
        kind: target.kind,
        coreUrl: target.coreUrl,
        build: watch.build ?? null,
        regions: gathering.regionIds,
        wan: target.wan,
      },
      machine,
      commit,
      startedAtMs,
      endedAtMs,
      windowMs,
      windows: windows.closed,
      sights: gathering.sights,
      totals: windows.totals,
      thresholds: readThresholds(summaryFile),
      events: timeline.events,
      end,
      interrupted: signal.aborted,
      isLate,
      problem,
      k6Processors: processor === undefined ? availableParallelism() : 1,
      struck,
    });
  } finally {
    cancelDeadline();
    gathering.stop();
    stopStatus();
    unlink();
    await watch.stop();
  }
}

interface Acting {
  /** Calls the act off, and tells what came of it. */
  over(): Promise<{ readonly struck: Struck | undefined; readonly problem: string | undefined }>;
}

interface Running {
  readonly k6: K6Process;
  readonly watch: ServerWatch;
  readonly timeline: Timeline;
}

function beginAct(setup: RunSetup, { k6, watch, timeline }: Running): Acting {
  const { target, clock, act, parameters } = setup;
  const isOver = new AbortController();
  let problem: string | undefined;
  const acted = act?.({
    target,
    watch,
    timeline,
    players: numberIn(parameters.PLAYERS),
    readyWithinMs: Math.max(READY_MIN_MS, durationS(setup) * 1_000 * READY_FACTOR),
    clock,
    signal: isOver.signal,
  }).catch((error: unknown) => {
    problem = error instanceof Error ? error.message : String(error);
    // A drill in which nothing happens proves nothing.
    endInOrder(setup, k6);
    return undefined;
  });
  return {
    async over() {
      isOver.abort();
      return { struck: await acted, problem };
    },
  };
}

/** @returns undoes it */
function endOnSignals(setup: RunSetup, k6: K6Process): () => void {
  const { signal, killSignal } = setup;
  const stop = () => endInOrder(setup, k6);
  signal.addEventListener("abort", stop, { once: true });
  killSignal.addEventListener("abort", k6.kill, { once: true });
  if (signal.aborted) stop();
  return () => {
    signal.removeEventListener("abort", stop);
    killSignal.removeEventListener("abort", k6.kill);
  };
}

function endInOrder({ say }: RunSetup, k6: K6Process): void {
  k6.stop().catch((error: unknown) => say(`✗ ${error instanceof Error ? error.message : error}`));
}

function durationS({ parameters }: RunSetup): number {
  return numberIn(parameters.DURATION_S);
}

function numberIn(text: string | undefined): number {
  return Number(text ?? 0) || 0;
}
