/**
 * A launch night: players come at 1, 2, 5 and 10 times the rate that is let in, whether or not they are answered,
 * wait in the queue if they are told to, play for 10 s, and leave. The servers (core, one region node, PostgreSQL,
 * Redis) share one processor in every phase, the generator has the other.
 *
 * The capacity is not chosen by hand: with nothing held back, the rate rises until rooms tick at half their rate or
 * players stay outside; `ADMISSION_SHARE` of that is what the settings then let in.
 *
 * - `peakPerS`: goodput at 1×: players whose first state came within 2 s of their ticket and who stayed for 10 s.
 * - `goodput`: at 2, 5 and 10 times as many attempts, as part of the peak.
 * - `tickP99ChangePct`: of the time from a room's tick to its next, the worst of those phases against 1×.
 * - `recoveryS`: from the end of the 10× load, which falls to 1× with everybody still waiting, until the goodput of
 *   2 s is 0.95 of the peak, and their ticks within 10%.
 * - `inversions`, `etaError…`: see `oracle.ts`. `admittedThenRejected`: had a ticket and did not get in.
 * - `peerGoodput`: of stock Colyseus under the same rules, at 10 times what it takes well.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Benchmark, percentile, rounded } from "../benchmark.ts";
import { interruption } from "../interruption.ts";
import { allowedProcessors, moveTo } from "../processors.ts";
import { TICK_MS } from "../rooms/game.ts";
import type { Attempt } from "./attempt.ts";
import { Crowd } from "./crowd.ts";
import { etaErrors, inversions } from "./oracle.ts";
import { goodPerS, type Phase, type PhaseTimes, runPhase } from "./phase.ts";
import { type Ramp, saturationOf } from "./saturation.ts";
import { type Processors, type Server, startColyseus, startMeridian } from "./servers.ts";

/** The rest is for those who have to be told to wait, ten times as many, and for ticks in time. */
const ADMISSION_SHARE = 0.5;
/** Seats for as many as play at a time, for a burst of 1 s, and for those who come and go. */
const SEATS_S = 15;
const LAG_MS_MAX = 50;
const FACTORS = [1, 2, 5, 10] as const;
const GOOD_SHARE = 0.95;
const TICK_CHANGE_MAX = 1.1;
const RECOVERY_WINDOW_MS = 2_000;
const RECOVERY_STEP_MS = 250;

interface Plan {
  readonly ramp: Ramp;
  readonly times: PhaseTimes;
  readonly recoveryMs: number;
}

const FULL: Plan = {
  ramp: { stepMs: 4_000, growth: 1.2 },
  times: { warmMs: 10_000, windowMs: 20_000, tailMs: 5_000 },
  recoveryMs: 15_000,
};
const QUICK: Plan = {
  ramp: { stepMs: 2_000, growth: 1.4 },
  times: { warmMs: 10_000, windowMs: 5_000, tailMs: 1_000 },
  recoveryMs: 6_000,
};

interface Run {
  readonly plan: Plan;
  readonly processors: Processors;
  readonly dir: string;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

export const overloadBenchmark: Benchmark = {
  name: "overload",
  description:
    "joins at 1, 2, 5 and 10 times what is let in: goodput, ticks, order; beside Colyseus",
  goals: [
    { figure: "goodput.x2", words: "goodput at twice the load, share of the peak", atLeast: 0.95 },
    { figure: "goodput.x5", words: "goodput at five times the load", atLeast: 0.95 },
    { figure: "goodput.x10", words: "goodput at ten times the load", atLeast: 0.95 },
    {
      figure: "tickP99ChangePct",
      words: "longer ticks of those who play, p99",
      unit: "%",
      atMost: 10,
    },
    { figure: "recoveryS", words: "recovery after the load", unit: "s", atMost: 10 },
    { figure: "inversions", words: "players who came before others of a better place", atMost: 0 },
    {
      figure: "admittedThenRejected",
      words: "players with a ticket who did not get in",
      atMost: 0,
    },
    {
      figure: "etaErrorMedianPct",
      words: "error of the waits that were told, median",
      unit: "%",
      atMost: 10,
    },
    {
      figure: "etaErrorP90Pct",
      words: "error of the waits that were told, p90",
      unit: "%",
      atMost: 25,
    },
    {
      figure: "generatorLagMs",
      words: "the generator was late by (else the run is void)",
      unit: "ms",
      atMost: 50,
    },
  ],
  async run({ quick, say }) {
    const [servers, generator] = allowedProcessors();
    if (servers === undefined || generator === undefined) {
      throw new Error("overload needs Linux, taskset and two processors");
    }
    const processors = { servers, generator };
    const dir = mkdtempSync(join(tmpdir(), "meridian-overload-"));
    moveTo(generator);
    try {
      const plan = quick ? QUICK : FULL;
      const run: Run = { plan, processors, dir, say, signal: interruption() };
      const ours = await measureMeridian(run);
      return { ...ours, ...(await measureColyseus(run)) };
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
};

async function measureMeridian(run: Run) {
  const { dir, processors, signal, plan, say } = run;
  const start = (protection: Parameters<typeof startMeridian>[0]["protection"]) =>
    startMeridian({
      // The second one is not a later life of the first, which would look for the queue of before.
      dir: join(dir, protection ? "protected" : "open"),
      protection,
      processors,
      signal,
    });
  const saturationPerS = await withCrowd(await start(undefined), (server, crowd) =>
    saturationOf(server, crowd, plan.ramp, say),
  );
  const admissionsPerSecond = Math.max(1, Math.floor(saturationPerS * ADMISSION_SHARE));
  const capacity = admissionsPerSecond * SEATS_S;
  say(
    `meridian takes ${rounded(saturationPerS)} players a second at most: ` +
      `ADMISSIONS_PER_SECOND=${admissionsPerSecond}, REGION_CAPACITY=${capacity}`,
  );
  const protection = { admissionsPerSecond, burst: admissionsPerSecond, capacity };
  return await withCrowd(await start(protection), async (server, crowd) => {
    const phases: Phase[] = [];
    for (const factor of FACTORS) {
      signal.throwIfAborted();
      const isLast = factor === FACTORS.at(-1);
      const phase = await runPhase(server, crowd, {
        perSecond: admissionsPerSecond * factor,
        ...plan.times,
        ...(isLast && { afterwards: { perSecond: admissionsPerSecond, forMs: plan.recoveryMs } }),
      });
      phases.push(phase);
      say(`${factor}×: ${described(phase)}`);
    }
    return {
      saturationPerS: rounded(saturationPerS),
      ...protection,
      ...figures(phases),
      recoveryS: await recoveryOf(phases, server, crowd, plan.recoveryMs),
    };
  });
}

async function measureColyseus({ processors, signal, plan, say }: Run) {
  return await withCrowd(await startColyseus(processors), async (server, crowd) => {
    const saturationPerS = await saturationOf(server, crowd, plan.ramp, say);
    const perSecond = Math.max(1, Math.floor(saturationPerS * ADMISSION_SHARE));
    say(`colyseus takes ${rounded(saturationPerS)} players a second at most`);
    signal.throwIfAborted();
    const peak = await runPhase(server, crowd, { perSecond, ...plan.times });
    say(`colyseus 1×: ${described(peak)}`);
    signal.throwIfAborted();
    const flood = await runPhase(server, crowd, { perSecond: 10 * perSecond, ...plan.times });
    say(`colyseus 10×: ${described(flood)}`);
    return {
      peerSaturationPerS: rounded(saturationPerS),
      peerPeakPerS: rounded(peak.goodPerS),
      peerGoodput: rounded(flood.goodPerS / peak.goodPerS),
      peerTickP99Ms: { x1: rounded(peak.tickP99Ms), x10: rounded(flood.tickP99Ms) },
      peerGeneratorLagMs: rounded(flood.lag.maxMs),
    };
  });
}

async function withCrowd<T>(
  server: Server,
  work: (server: Server, crowd: Crowd) => Promise<T>,
): Promise<T> {
  const crowd = new Crowd(server.door);
  try {
    return await work(server, crowd);
  } finally {
    crowd.stop();
    await server.stop();
  }
}

function figures(phases: readonly Phase[]) {
  const [peak, x2, x5, x10] = phases;
  if (!peak || !x2 || !x5 || !x10) throw new Error("a phase is missing");
  const attempts = phases.flatMap((phase) => phase.attempts);
  const share = ({ goodPerS: good }: Phase) => rounded(good / peak.goodPerS);
  const worstTickMs = Math.max(...[x2, x5, x10].map(({ tickP99Ms }) => tickP99Ms));
  const lagMs = Math.max(...phases.map(({ lag }) => lag.maxMs));
  const eta = etaErrors(attempts);
  return {
    peakPerS: rounded(peak.goodPerS),
    goodput: { x2: share(x2), x5: share(x5), x10: share(x10) },
    tickP99Ms: Object.fromEntries(
      phases.map(({ tickP99Ms }, at) => [`x${FACTORS[at]}`, rounded(tickP99Ms)]),
    ),
    tickP99ChangePct: rounded((worstTickMs / peak.tickP99Ms - 1) * 100),
    inversions: phases.reduce((sum, phase) => sum + inversions(phase.attempts), 0),
    admittedThenRejected: attempts.filter(isRejected).length,
    etaErrorMedianPct: rounded(eta.medianPct),
    etaErrorP90Pct: rounded(eta.p90Pct),
    etaSamples: eta.samples,
    generatorLagMs: rounded(lagMs),
    void: lagMs > LAG_MS_MAX,
  };
}

/** Whoever had a ticket and is not in, for which reason ever. */
function isRejected({ admittedAtMs, enteredAtMs }: Attempt): boolean {
  return admittedAtMs !== undefined && enteredAtMs === undefined;
}

/** @returns s; null when it did not recover while it was watched */
async function recoveryOf(
  phases: readonly Phase[],
  server: Server,
  crowd: Crowd,
  watchedMs: number,
): Promise<number | null> {
  const [peak] = phases;
  const last = phases.at(-1);
  if (!peak || !last) return null;
  for (let ms = 0; ms + RECOVERY_WINDOW_MS <= watchedMs; ms += RECOVERY_STEP_MS) {
    const fromMs = last.endedAtMs + ms;
    const wallMs = last.endedWallMs + ms;
    const good = goodPerS(crowd.attempts, fromMs, fromMs + RECOVERY_WINDOW_MS);
    const latenesses = await server.latenesses(wallMs, wallMs + RECOVERY_WINDOW_MS);
    const tickMs = TICK_MS + percentile(latenesses, 99);
    if (good >= peak.goodPerS * GOOD_SHARE && tickMs <= peak.tickP99Ms * TICK_CHANGE_MAX) {
      return ms / 1_000;
    }
  }
  return null;
}

function described({ goodPerS: good, offeredPerS, tickP99Ms, lag, cpu, ends }: Phase): string {
  return (
    `${rounded(good)} of ${offeredPerS}/s are in and stay, ${rounded(tickP99Ms)} ms a tick (p99), ` +
    `generator late ${rounded(lag.p99Ms)} ms (p99), ${rounded(lag.maxMs)} ms (worst); ` +
    `processor ${JSON.stringify(cpu)}; ${JSON.stringify(ends)}`
  );
}
