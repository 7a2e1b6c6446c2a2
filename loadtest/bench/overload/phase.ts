/** One load on one server for a while, and what came of it. */
import { sleep, systemClock } from "../../../shared/clock.ts";
import { percentile, rounded } from "../benchmark.ts";
import { TICK_MS } from "../rooms/game.ts";
import { type Attempt, isGood } from "./attempt.ts";
import type { Crowd, Lag } from "./crowd.ts";
import { Ending } from "./ending.ts";
import type { Server } from "./servers.ts";

/** What is under way when a phase is over ends by then. */
const END_DEADLINE_MS = 60_000;
const POLL_MS = 50;

export interface PhaseTimes {
  /** Until as many play as will go on playing. */
  readonly warmMs: number;
  readonly windowMs: number;
  /** The load goes on, so that those of the window stay under it. */
  readonly tailMs: number;
}

export interface Phase {
  readonly offeredPerS: number;
  /** Let in within the window, in time, and not thrown out. */
  readonly goodPerS: number;
  /** 99th percentile of the time from one tick of a room to its next, ms. */
  readonly tickP99Ms: number;
  readonly lag: Lag;
  /** Of the server's processor, by process. */
  readonly cpu: Readonly<Record<string, number>>;
  readonly attempts: readonly Attempt[];
  /** When the load ended. */
  readonly endedAtMs: number;
  readonly endedWallMs: number;
  /** By how they ended. */
  readonly ends: Readonly<Record<string, number>>;
}

export interface Load extends PhaseTimes {
  readonly perSecond: number;
  /** What follows at once while those who wait go on waiting; by default they give up. */
  readonly afterwards?: { readonly perSecond: number; readonly forMs: number };
}

export async function runPhase(
  server: Server,
  crowd: Crowd,
  { perSecond, warmMs, windowMs, tailMs, afterwards }: Load,
): Promise<Phase> {
  const count = Math.round((perSecond * (warmMs + windowMs + tailMs)) / 1_000);
  const players = await server.makePlayers(count);
  const later = afterwards
    ? await server.makePlayers(Math.round((afterwards.perSecond * afterwards.forMs) / 1_000))
    : [];
  const ending = new Ending();
  const first = crowd.attempts.length;
  const cpuBefore = server.cpuSeconds();
  const beganMs = systemClock.monotonicMs();
  const beganWallMs = Date.now();
  const lag = await crowd.arrive({ perSecond, players }, ending);
  const endedAtMs = systemClock.monotonicMs();
  const endedWallMs = Date.now();
  const tookS = (endedAtMs - beganMs) / 1_000;
  const cpuAfter = server.cpuSeconds();
  const attempts = crowd.attempts.slice(first);
  if (afterwards) await crowd.arrive({ perSecond: afterwards.perSecond, players: later }, ending);
  ending.end();
  await allEnded(crowd);
  const [fromMs, toMs] = [beganMs + warmMs, beganMs + warmMs + windowMs];
  const wallMs = beganWallMs + warmMs;
  const latenesses = await server.latenesses(wallMs, wallMs + windowMs);
  return {
    offeredPerS: perSecond,
    goodPerS: goodPerS(attempts, fromMs, toMs),
    tickP99Ms: TICK_MS + percentile(latenesses, 99),
    lag,
    cpu: Object.fromEntries(
      [...cpuAfter].map(([name, s]) => [name, rounded((s - (cpuBefore.get(name) ?? 0)) / tookS)]),
    ),
    attempts,
    endedAtMs,
    endedWallMs,
    ends: countEnds(attempts),
  };
}

/** Of those who entered between the two moments. */
export function goodPerS(attempts: readonly Attempt[], fromMs: number, toMs: number): number {
  const good = attempts.filter((attempt) => {
    const { enteredAtMs = -1 } = attempt;
    return enteredAtMs >= fromMs && enteredAtMs < toMs && isGood(attempt);
  });
  return (good.length * 1_000) / (toMs - fromMs);
}

export async function allEnded(crowd: Crowd): Promise<void> {
  const endMs = systemClock.monotonicMs() + END_DEADLINE_MS;
  while (crowd.underWay > 0 && systemClock.monotonicMs() < endMs) {
    await sleep(systemClock, POLL_MS);
  }
}

function countEnds(attempts: readonly Attempt[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { end } of attempts) counts[end] = (counts[end] ?? 0) + 1;
  return counts;
}
