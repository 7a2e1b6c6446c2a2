/** A process of followed players: one decodes what hundreds are sent. */
import { Random } from "../../region/rooms/random.ts";
import { sleep, systemClock } from "../../shared/clock.ts";
import { FollowedPlayer, type ToldCoin } from "./followed-player.ts";
import type { Leg } from "./leg.ts";

const LEAVE_DEADLINE_MS = 2_500;

/** Those who come, and how fast. */
export interface Arrival {
  readonly ask: "come";
  readonly url: string;
  readonly players: number;
  readonly arrivePerSecond: number;
  /** Whom they insist on at first, in turn; empty: nobody. */
  readonly regions: readonly string[];
  readonly seed: number;
}

export type PlayersQuestion = Arrival | { readonly ask: "standing" | "take" | "leave" };

/** Where those are who play and whose inputs are heard. */
export interface Standing {
  readonly players: number;
  readonly byNode: Readonly<Record<string, number>>;
}

/** What was seen and told since it was asked before. */
export interface Taken {
  readonly legs: readonly Leg[];
  readonly coins: readonly ToldCoin[];
}

const end = new AbortController();
const players: FollowedPlayer[] = [];
const stays: Promise<void>[] = [];

async function come({ url, players: count, arrivePerSecond, regions, seed }: Arrival) {
  const seeds = Random.fromSeed(seed);
  for (let index = 0; index < count; index += 1) {
    const dice = Random.fromSeed(seeds.next());
    const region = regions[index % Math.max(1, regions.length)];
    const player = new FollowedPlayer({
      url,
      name: `Followed ${index + 1}`,
      ...(region !== undefined && { region }),
      clock: systemClock,
      random: () => dice.float(),
    });
    players.push(player);
    stays.push(player.run(end.signal));
    await sleep(systemClock, 1_000 / arrivePerSecond);
  }
}

function standing(): Standing {
  const byNode: Record<string, number> = {};
  for (const player of players) {
    const nodeId = player.playing?.nodeId;
    if (nodeId !== undefined) byNode[nodeId] = (byNode[nodeId] ?? 0) + 1;
  }
  return { players: players.length, byNode };
}

function take(): Taken {
  const taken = players.map((player) => player.take());
  return { legs: taken.flatMap(({ legs }) => legs), coins: taken.flatMap(({ coins }) => coins) };
}

async function leave(): Promise<void> {
  end.abort();
  await Promise.race([Promise.all(stays), sleep(systemClock, LEAVE_DEADLINE_MS)]);
}

async function answer(question: PlayersQuestion): Promise<unknown> {
  switch (question.ask) {
    case "come":
      await come(question);
      return standing();
    case "standing":
      return standing();
    case "take":
      return take();
    case "leave":
      await leave();
      return take();
  }
}

process.on("message", async (question: PlayersQuestion) => {
  process.send?.(await answer(question));
});
// Before the first player there is nothing else that keeps this process alive.
process.channel?.ref();
process.send?.("ready");
