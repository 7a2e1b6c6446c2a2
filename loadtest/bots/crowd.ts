/** Many bots: how they are made, and how they come. */
import { randomName } from "../../region/games/arena/page/names.ts";
import { Random } from "../../region/rooms/random.ts";
import { type Clock, sleep } from "../../shared/clock.ts";
import { BotPlayer } from "./bot-player.ts";
import type { Tally } from "./tally.ts";

export interface CrowdOptions {
  readonly players: number;
  readonly url: string;
  readonly seed: number;
  readonly clock: Clock;
  readonly tally: Tally;
}

/** Each with a name and dice of its own, the same ones for the same seed. */
export function createBots({ players, url, seed, clock, tally }: CrowdOptions): BotPlayer[] {
  const seeds = Random.fromSeed(seed);
  return Array.from({ length: players }, (_, index) => {
    const dice = Random.fromSeed(seeds.next());
    const random = () => dice.float();
    const name = `${randomName(random)} ${index + 1}`;
    return new BotPlayer({ url, name, clock, random, observer: tally.observer() });
  });
}

export interface Running {
  /** At most so many come. */
  readonly arrivePerSecond: number;
  readonly clock: Clock;
  /** Everybody leaves. */
  readonly signal: AbortSignal;
}

/** Resolves when all who came have left. */
export async function runBots(
  bots: readonly BotPlayer[],
  { arrivePerSecond, clock, signal }: Running,
): Promise<void> {
  const stays: Promise<void>[] = [];
  for (const bot of bots) {
    if (signal.aborted) break;
    stays.push(bot.run(signal));
    await sleep(clock, 1_000 / arrivePerSecond, signal);
  }
  await Promise.all(stays);
}
