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
import { buildSummary, type Sight } from "./build-summary.ts";
import { CpuWatch } from "./cpu-watch.ts";
import { bundleScript } from "./k6-bundle.ts";
import { startK6 } from "./k6-process.ts";
import { checkedOutCommit, describeMachine } from "./machine.ts";
import { progressLine } from "./progress.ts";
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
  /** Ends the run before its time. */
  readonly signal: AbortSignal;
  /** Ends k6 at once. */
  readonly killSignal: AbortSignal;
}

/** More make plots that nobody can read, and a file that no browser likes. */
const WINDOWS_MAX = 3_600;
/** Arrivals, and who is waited for at the end, beside the time that is asked for. */
const EXTRA_S = 120;
const READY_FACTOR = 0.5;
const READY_MIN_MS = 10_000;

/** @throws when k6 can't be started, or the operators' port can't be asked */
export async function runScenario(setup: RunSetup): Promise<LoadSummary> {
  const { scenario, parameters, target, outDir, clock, say, signal, killSignal } = setup;
  const machine = describeMachine(setup.k6Binary);
  const script = await bundleScript(scenario.name, outDir);
  const watch = new ServerWatch(target.ops, clock);
  await watch.start();
  const durationS = Number(parameters.DURATION_S ?? 0) || 0;
  const windowMs = 1_000 * Math.ceil((durationS + EXTRA_S) / WINDOWS_MAX);
  const startedAtMs = clock.nowMs();
  const beganMs = clock.monotonicMs();
  const passedS = () => (clock.monotonicMs() - beganMs) / 1_000;
  const windows = new Windows({ startedAtMs, windowMs, windowsMax: WINDOWS_MAX });
  const timeline = new Timeline(passedS, say);
  const summaryFile = join(outDir, "k6-summary.json");
  const k6 = await startK6({
    binary: setup.k6Binary,
    script,
    env: { ...parameters, CORE_URL: target.coreUrl },
    summaryFile,
    logFile: join(outDir, "k6.log"),
    onSample: (sample) => windows.add(sample),
    ...(setup.processor !== undefined && { processor: setup.processor }),
  });
  const over = new AbortController();
  const stop = () => void k6.stop().catch((error: unknown) => say(`✗ ${error}`));
  signal.addEventListener("abort", stop, { once: true });
  killSignal.addEventListener("abort", k6.kill, { once: true });
  if (signal.aborted) stop();

  const sights = new Map<number, Sight>();
  const cpuWatch = new CpuWatch(
    () => ({ k6: k6.pid, servers: target.serverPids() }),
    () => clock.monotonicMs(),
  );
  cpuWatch.look();
  let sight: Sight = { regions: watch.regions, cpu: undefined };
  let warm = false;
  const cancelLooks = clock.every(windowMs, () => {
    sight = { regions: watch.regions, cpu: cpuWatch.look() };
    // It tells of the window that has just ended.
    sights.set(Math.round((passedS() * 1_000) / windowMs) - 1, sight);
    windows.advance(clock.nowMs());
    if (!warm && isWarm(setup, windows)) {
      warm = true;
      windows.restartTrends();
    }
  });
  const line = () =>
    progressLine({
      passedS: passedS(),
      window: windows.lately(clock.nowMs()),
      windowS: windowMs / 1_000,
      totals: windows.totals,
      ...sight,
    });
  const stopStatus = setup.output ? showStatus(line, setup.output, clock) : () => {};
  let problem: string | undefined;
  const readyWithinMs = Math.max(READY_MIN_MS, durationS * 1_000 * READY_FACTOR);
  const players = Number(parameters.PLAYERS ?? 0) || 0;
  const context = { target, watch, timeline, players, clock, readyWithinMs, signal: over.signal };
  const acted = setup.act?.(context).catch((error: unknown) => {
    problem = error instanceof Error ? error.message : String(error);
    // A drill in which nothing happens proves nothing.
    stop();
    return undefined;
  });
  try {
    const end = await k6.ended;
    over.abort();
    const struck = await acted;
    const endedAtMs = clock.nowMs();
    windows.finish(endedAtMs);
    const { build } = watch;
    return buildSummary({
      scenario,
      parameters: { ...parameters, CORE_URL: target.coreUrl },
      target: {
        kind: target.kind,
        coreUrl: target.coreUrl,
        build: build ?? null,
        regions: sight.regions.map(({ regionId }) => regionId),
        wan: target.wan,
      },
      machine,
      commit: checkedOutCommit(),
      startedAtMs,
      endedAtMs,
      windowMs,
      windows: windows.closed,
      sights,
      totals: windows.totals,
      thresholds: readThresholds(summaryFile),
      events: timeline.events,
      end,
      interrupted: signal.aborted,
      problem,
      k6Processors: setup.processor === undefined ? availableParallelism() : 1,
      struck,
    });
  } finally {
    cancelLooks();
    stopStatus();
    signal.removeEventListener("abort", stop);
    killSignal.removeEventListener("abort", k6.kill);
    await watch.stop();
  }
}

function isWarm({ warmUpPlayers }: RunSetup, windows: Windows): boolean {
  const { closed } = windows;
  return warmUpPlayers !== undefined && (closed.at(-1)?.players ?? 0) >= warmUpPlayers;
}
