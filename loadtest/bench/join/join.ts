/**
 * A guest's way in, from the first call to the room's first state, by many players at once, against
 * stock Colyseus with the same game and no accounts. Rounds of the two alternate, and this process is
 * the players of both: what it takes of the machine's processors is in the figures, and told.
 *
 * Every join is a new guest's on an HTTP connection that is open already and a websocket that is not.
 */
import { systemClock } from "../../../shared/clock.ts";
import { type Benchmark, median, percentile, rounded } from "../benchmark.ts";
import { interruption } from "../interruption.ts";
import { ownCpuSeconds, treeCpuSeconds } from "../process-cpu.ts";
import { startColyseus } from "./colyseus-target.ts";
import { Crowd } from "./crowd.ts";
import type { JoinTarget } from "./join-target.ts";
import { startMeridian } from "./meridian-target.ts";

const PLAYERS = 64;

interface Round {
  readonly tookMs: readonly number[];
  readonly joinsPerS: number;
  /** By process; undefined where it can't be told. */
  readonly serverCpuS: ReadonlyMap<string, number> | undefined;
  readonly generatorCpuS: number;
}

interface Side {
  readonly target: JoinTarget;
  readonly crowd: Crowd;
  readonly rounds: Round[];
}

export const joinBenchmark: Benchmark = {
  name: "join",
  description: "guest log-in to first room state, 64 players at once, against stock Colyseus",
  goals: [
    { figure: "ratioToColyseus", words: "joins a second against stock Colyseus", atLeast: 0.5 },
    { figure: "roundTrips", words: "exchanges that a player waits for", atMost: 3 },
  ],
  async run({ quick, say }) {
    const signal = interruption();
    const sides: Side[] = [];
    const add = (target: JoinTarget) => {
      const side: Side = { target, crowd: new Crowd(target, PLAYERS), rounds: [] };
      sides.push(side);
      return side;
    };
    try {
      const meridian = add(await startMeridian(signal));
      const colyseus = add(await startColyseus());
      const roundMs = quick ? 2_500 : 6_000;
      // The first calls of a process run code that is not compiled yet, on connections not made yet.
      for (const { crowd } of sides) await crowd.run(roundMs, signal);
      for (let round = 1; round <= (quick ? 5 : 9); round += 1) {
        for (const side of sides) side.rounds.push(await runRound(side, roundMs, signal));
        say(`round ${round}: ${sides.map(lastLine).join("; ")}`);
      }
      return figures(meridian, colyseus);
    } finally {
      for (const { crowd, target } of sides.reverse()) {
        await crowd.stop();
        await target.stop();
      }
    }
  },
};

async function runRound({ target, crowd }: Side, ms: number, signal: AbortSignal): Promise<Round> {
  const beganMs = systemClock.monotonicMs();
  const before = cpuSecondsOf(target);
  const generatorBefore = ownCpuSeconds();
  const tookMs = await crowd.run(ms, signal);
  const after = cpuSecondsOf(target);
  return {
    tookMs,
    joinsPerS: (tookMs.length * 1_000) / (systemClock.monotonicMs() - beganMs),
    serverCpuS:
      before &&
      after &&
      new Map([...after].map(([name, s]) => [name, s - (before.get(name) ?? 0)])),
    generatorCpuS: ownCpuSeconds() - generatorBefore,
  };
}

/** By process. */
function cpuSecondsOf({ processes }: JoinTarget): Map<string, number> | undefined {
  const seconds = new Map<string, number>();
  for (const [name, pid] of processes) {
    const spent = treeCpuSeconds(pid);
    if (spent === undefined) return undefined;
    seconds.set(name, spent);
  }
  return seconds;
}

function figures(meridian: Side, colyseus: Side) {
  const joinsPerS = medianOf(meridian, (round) => round.joinsPerS);
  const colyseusJoinsPerS = medianOf(colyseus, (round) => round.joinsPerS);
  const { exchanges } = meridian.target;
  return {
    players: PLAYERS,
    joinsPerS,
    p50Ms: medianOf(meridian, ({ tookMs }) => percentile(tookMs, 50)),
    p99Ms: medianOf(meridian, ({ tookMs }) => percentile(tookMs, 99)),
    colyseusJoinsPerS,
    ratioToColyseus: rounded(joinsPerS / colyseusJoinsPerS),
    serverCpuPerJoinMs: { meridian: cpuPerJoinMs(meridian), colyseus: cpuPerJoinMs(colyseus) },
    meridianCpuPerJoinMs: cpuPerJoinByProcessMs(meridian),
    roundTrips: exchanges.length,
    exchanges,
    generatorShare: generatorShare([...meridian.rounds, ...colyseus.rounds]),
  };
}

function medianOf({ rounds }: Side, read: (round: Round) => number): number {
  return rounded(median(rounds.map(read)));
}

function cpuPerJoinMs(side: Side): number | null {
  if (side.rounds.some(({ serverCpuS }) => !serverCpuS)) return null;
  return medianOf(side, (round) => (serverCpuS(round) * 1_000) / round.tookMs.length);
}

/** Of each process of Meridian, ms. */
function cpuPerJoinByProcessMs(side: Side): Record<string, number> | null {
  if (side.rounds.some(({ serverCpuS }) => !serverCpuS)) return null;
  const read = (name: string) =>
    medianOf(side, (round) => ((round.serverCpuS?.get(name) ?? 0) * 1_000) / round.tookMs.length);
  return Object.fromEntries([...side.target.processes.keys()].map((name) => [name, read(name)]));
}

function generatorShare(rounds: readonly Round[]): number | null {
  if (rounds.some(({ serverCpuS }) => !serverCpuS)) return null;
  const generator = rounds.reduce((sum, { generatorCpuS }) => sum + generatorCpuS, 0);
  const servers = rounds.reduce((sum, round) => sum + serverCpuS(round), 0);
  return rounded(generator / (generator + servers));
}

/** Of all processes. */
function serverCpuS({ serverCpuS: byProcess = new Map() }: Round): number {
  return [...byProcess.values()].reduce((sum, seconds) => sum + seconds, 0);
}

function lastLine({ target, rounds }: Side): string {
  const last = rounds.at(-1);
  const p99Ms = rounded(percentile(last?.tookMs ?? [], 99));
  return `${target.name} ${rounded(last?.joinsPerS ?? 0)} joins/s, p99 ${p99Ms} ms`;
}
