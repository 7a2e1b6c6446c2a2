/** All of the core is gone for a while, and comes back: what those who play see of it, and how soon all is caught up. */
import type { LocalWorld } from "../../../infra/local/world.ts";
import { Meridian } from "../../../shared/client/meridian.ts";
import { sleep, systemClock } from "../../../shared/clock.ts";
import type { WatchedPlayers } from "../../../test/faults/watched-players.ts";
import { backlogsOf } from "../../../test/outbox-backlog.ts";
import { percentile, rounded } from "../benchmark.ts";

/** Of what waits while players go on writing. */
const AGE_WHEN_DRAINED_MS = 500;
const POLL_MS = 50;
const DRAIN_WITHIN_MS = 300_000;
const BEFORE_MS_MAX = 60_000;
const PROGRESS_MS = 60_000;

export interface Away {
  readonly awayMs: number;
  readonly players: WatchedPlayers;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

export async function coreAway(world: LocalWorld, { awayMs, say, signal }: Away) {
  const { gaps, leave } = await watchTicks(world);
  const spell = async (ms: number) => {
    gaps.length = 0;
    for (let leftMs = ms; leftMs > 0; leftMs -= PROGRESS_MS) {
      await sleep(systemClock, Math.min(leftMs, PROGRESS_MS), signal);
      signal.throwIfAborted();
    }
    return percentile(gaps, 99);
  };
  const beforeMs = await spell(Math.min(awayMs, BEFORE_MS_MAX));
  say(`the core is gone for ${awayMs / 1_000} s`);
  for (const core of world.cores) core.knockOut();
  const awayTickMs = await spell(awayMs);
  const waiting = (await backlogsOf(world)).reduce((sum, { items }) => sum + items, 0);
  await Promise.all(world.cores.map((core) => core.restart()));
  await world.leader();
  const backMs = systemClock.monotonicMs();
  while ((await backlogsOf(world)).some(({ ageMs }) => !(ageMs < AGE_WHEN_DRAINED_MS))) {
    if (systemClock.monotonicMs() - backMs > DRAIN_WITHIN_MS) throw new Error("it never drains");
    await sleep(systemClock, POLL_MS, signal);
  }
  const backlogDrainS = rounded((systemClock.monotonicMs() - backMs) / 1_000);
  await leave();
  say(`${waiting} changes drained within ${backlogDrainS} s`);
  return {
    backlogItems: waiting,
    backlogDrainS,
    tickP99Ms: { before: rounded(beforeMs), away: rounded(awayTickMs) },
    tickP99ChangePct: rounded((awayTickMs / beforeMs - 1) * 100),
  };
}

/** From one patch of a room in which bots move to its next, at a client of its own, ms. */
async function watchTicks(world: LocalWorld) {
  const meridian = new Meridian({ url: world.core.url });
  await meridian.logIn({ name: "Ticks" });
  const play = await meridian.join("arena");
  const gaps: number[] = [];
  let lastMs: number | undefined;
  play.onChange(() => {
    const nowMs = systemClock.monotonicMs();
    if (lastMs !== undefined) gaps.push(nowMs - lastMs);
    lastMs = nowMs;
  });
  return { gaps, leave: () => play.leave() };
}
