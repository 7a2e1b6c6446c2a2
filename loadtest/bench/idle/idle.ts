/**
 * What a node pays for players who are in their rooms and say nothing: memory of each, and the
 * processor's time for all, keep-alives and ticks included.
 *
 * The node is a process of its own on the production path: seats over the private link, signed
 * tickets, the transport, `GameRoom`s of 50 that tick 20 times a second. Memory is the process's whole
 * resident set, less what it was before the first player, both after a garbage collection.
 */
import { sleep, systemClock } from "../../../shared/clock.ts";
import { type Benchmark, rounded } from "../benchmark.ts";
import { interruption } from "../interruption.ts";
import { IdleWorld } from "./idle-world.ts";
import type { NodeMemory } from "./node-process.ts";

const PLAYERS = 50_000;
const PLAYERS_QUICK = 5_000;
const BATCH = 250;
const SAY_EVERY = 2_500;
/** After the last join, until it counts as idle. */
const REST_MS = 3_000;
const WATCH_MS = 10_000;
const KB = 1_024;

export const idleBenchmark: Benchmark = {
  name: "idle",
  description: "joined, silent players on one node: memory of each, processor time of all",
  goals: [
    { figure: "players", words: "silent players on one node", atLeast: 50_000, fullOnly: true },
    { figure: "rssPerPlayerKb", words: "resident memory of each", unit: "KB", atMost: 12 },
  ],
  async run({ quick, say }) {
    const signal = interruption();
    const wanted = quick ? PLAYERS_QUICK : PLAYERS;
    const world = await IdleWorld.start(wanted);
    try {
      const players = Math.min(wanted, world.playersMax);
      if (players < wanted) {
        say(`the limit of open files allows ${players} players instead of ${wanted}`);
      }
      const before = await world.memory();
      await fill(world, { players, say, signal });
      await sleep(systemClock, REST_MS, signal);
      const memory = perPlayer(before, await world.memory(), players);
      const cpuCores = await watch(world, signal);
      signal.throwIfAborted();
      await world.checkAllHere();
      say(`${players} players: ${memory.rssPerPlayerKb} KB each, ${cpuCores} cores for all`);
      return { players, playersWanted: wanted, ...memory, cpuCores };
    } finally {
      await world.stop();
    }
  },
};

interface Filling {
  readonly players: number;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

async function fill(world: IdleWorld, { players, say, signal }: Filling): Promise<void> {
  const beganMs = systemClock.monotonicMs();
  for (let joined = 0; joined < players; ) {
    signal.throwIfAborted();
    const batch = Math.min(BATCH, players - joined);
    await world.join(batch);
    joined += batch;
    if (joined % SAY_EVERY !== 0 && joined < players) continue;
    say(`${joined} players after ${rounded((systemClock.monotonicMs() - beganMs) / 1_000)} s`);
  }
}

/** @returns CPU seconds a second */
async function watch(world: IdleWorld, signal: AbortSignal): Promise<number> {
  const before = await world.cpu();
  await sleep(systemClock, WATCH_MS, signal);
  const after = await world.cpu();
  return rounded(((after.cpuS - before.cpuS) * 1_000) / (after.atMs - before.atMs));
}

function perPlayer(before: NodeMemory, after: NodeMemory, players: number) {
  const kb = (bytes: number) => rounded(bytes / players / KB);
  return {
    rssPerPlayerKb: kb(after.rssBytes - before.rssBytes),
    heapPerPlayerKb: kb(after.heapBytes - before.heapBytes),
    externalPerPlayerKb: kb(after.externalBytes - before.externalBytes),
    rssBeforeMb: rounded(before.rssBytes / KB / KB),
  };
}
