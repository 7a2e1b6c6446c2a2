/**
 * How many players a second a server takes at most with nothing held back: more and more come, until rooms don't
 * tick in time any more or not all get in. Each stays for as long as in the measuring.
 */
import { sleep, systemClock } from "../../../shared/clock.ts";
import { percentile, rounded } from "../benchmark.ts";
import { TICK_MS } from "../rooms/game.ts";
import { STAY_MS } from "./attempt.ts";
import type { Crowd } from "./crowd.ts";
import { Ending } from "./ending.ts";
import { allEnded } from "./phase.ts";
import type { Server } from "./servers.ts";

const FIRST_PER_S = 20;
const STEPS_MAX = 24;
/** A tick that takes two periods is one that players notice. */
const TICK_P99_MS_MAX = 2 * TICK_MS;
const ENTERED_SHARE_MIN = 0.8;
/** Steps at the first rate that are not judged: code is not compiled yet at first. */
const WARM_UP_STEPS = 3;
/** One step may have met something else that the machine had to do. */
const BAD_STEPS = 2;

export interface Ramp {
  readonly stepMs: number;
  /** Of the rate, from one step to the next. */
  readonly growth: number;
}

export async function saturationOf(
  server: Server,
  crowd: Crowd,
  { stepMs, growth }: Ramp,
  say: (line: string) => void,
): Promise<number> {
  let perSecond = FIRST_PER_S;
  let bad = 0;
  const ending = new Ending();
  for (let step = 0; step < STEPS_MAX; step += 1) {
    const players = await server.makePlayers(Math.round((perSecond * stepMs) / 1_000));
    const first = crowd.attempts.length;
    const fromMs = Date.now();
    await crowd.arrive({ perSecond, players }, ending);
    const late = TICK_MS + percentile(await server.latenesses(fromMs, Date.now()), 99);
    const mine = crowd.attempts.slice(first);
    const entered = mine.filter(({ enteredAtMs }) => enteredAtMs !== undefined).length;
    say(
      `${Math.round(perSecond)} come a second: ${entered} of ${mine.length} are in at once, ${rounded(late)} ms a tick`,
    );
    if (step < WARM_UP_STEPS) continue;
    const isBad = late > TICK_P99_MS_MAX || entered < mine.length * ENTERED_SHARE_MIN;
    bad = isBad ? bad + 1 : 0;
    if (bad === BAD_STEPS) break;
    if (!isBad) perSecond *= growth;
  }
  const endMs = systemClock.monotonicMs();
  const inLast = crowd.attempts.filter(
    ({ enteredAtMs }) => enteredAtMs !== undefined && enteredAtMs > endMs - STAY_MS,
  );
  ending.end();
  await allEnded(crowd);
  await sleep(systemClock, 1_000);
  return (inLast.length * 1_000) / STAY_MS;
}
