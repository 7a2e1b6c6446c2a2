/**
 * What it costs that rooms outlive their node: the rooms of `rooms` (400 players here, 50 a room, 20 inputs and patches
 * a second each), once with a standby in another region that keeps a copy of every room, once without; both take
 * turns in one run, the other is frozen meanwhile.
 *
 * - `cpuRatio`: user and system time of the sending and the receiving node together, for each patch that reached a
 *   player, over that of two such nodes without copies; of each pair of turns that follow each other, the median.
 * - `bytesPerRoomPerS`: what was sent to the standby for a room, before encryption.
 * - `rssPerRoomKb`: what the resident memory of both nodes has grown by from their start to the end of the run, less what
 *   that of the two without copies has, per room. So few rooms say not much about it, but how much it is at most.
 * - `unprotectedRooms`: at the end; the run fails when it is not 0, because nothing was measured then.
 */
import { TEST_REGION, TestCore } from "../../../region/link/test-core.ts";
import { systemClock } from "../../../shared/clock.ts";
import { NodeId, RegionId } from "../../../shared/ids.ts";
import { watchInterrupts } from "../../bots/interrupts.ts";
import { type Benchmark, median, rounded } from "../benchmark.ts";
import { Child } from "../rooms/child.ts";
import { meridian } from "../rooms/contenders.ts";
import { Entrant, type Turn, type Window } from "../rooms/entrant.ts";
import { RATE_HZ, ROOM_SEATS } from "../rooms/game.ts";
import type { NodeAddresses, NodeStart } from "../rooms/meridian-server.ts";

const SEED = 1;
/** Four processes at once have to get their time from two cores. */
const PLAYERS = 400;
const ROOMS = PLAYERS / ROOM_SEATS;
const STANDBY_REGION = RegionId.parse("standby");
/** Of the patches and of the inputs that a turn should have; other work of the machine takes away. */
const TRAFFIC_SHARE_MIN = 0.6;
const PROTECTED_WITHIN_MS = 10_000;

interface Plan {
  readonly rounds: number;
  readonly warmUp: Turn;
  readonly turn: Turn;
}

const FULL: Plan = {
  rounds: 15,
  warmUp: { settleMs: 5_000, windowMs: 1_000 },
  turn: { settleMs: 1_500, windowMs: 5_000 },
};
const QUICK: Plan = {
  rounds: 5,
  warmUp: { settleMs: 2_000, windowMs: 500 },
  turn: { settleMs: 1_000, windowMs: 1_600 },
};

export const replicationBenchmark: Benchmark = {
  name: "replication",
  description: "400 players at 20 Hz: rooms with a standby in another region, and without",
  goals: [
    { figure: "cpuRatio", words: "CPU of rooms with copies against rooms without", atMost: 1.15 },
  ],
  async run({ quick, say }) {
    const called = new AbortController();
    const { signal } = called;
    const core = await TestCore.start();
    const other = await TestCore.start();
    const standby = new Child("meridian-server.ts", systemClock);
    // Both have a second node, which costs something even when it has nothing to do.
    const idle = new Child("meridian-server.ts", systemClock);
    const options = { seed: SEED, players: PLAYERS, clock: systemClock, signal };
    const copied = new Entrant({ ...options, contender: meridian(core, standby) });
    const alone = new Entrant({ ...options, contender: meridian(other, idle) });
    const end = () => Promise.all([copied.end(), alone.end(), standby.end(), idle.end()]);
    const interrupted = () => {
      called.abort(new Error("interrupted"));
      void end();
    };
    const source = process;
    const clock = systemClock;
    watchInterrupts({ source, clock, onAsked: interrupted, onForced: interrupted });
    try {
      const [linkAddress] = await Promise.all([
        startStandby(core, standby),
        startStandby(other, idle),
      ]);
      const nodeId = NodeId.parse(`${STANDBY_REGION}-1`);
      const standbys = { version: "1", nodes: [{ nodeId, linkAddress }] };
      core.standbys.set(NodeId.parse(`${TEST_REGION}-1`), standbys);
      return await compare({ core, copied, alone, plan: quick ? QUICK : FULL, say });
    } finally {
      await end();
      await core.stop();
      await other.stop();
    }
  },
};

async function startStandby(core: TestCore, standby: Child): Promise<string> {
  const settings: NodeStart = {
    coreAddress: core.address,
    credentials: await core.credentialsOf(STANDBY_REGION),
    regionId: STANDBY_REGION,
  };
  const { link } = await standby.ask<NodeAddresses>("start", settings);
  return link;
}

interface Comparison {
  readonly core: TestCore;
  readonly copied: Entrant;
  readonly alone: Entrant;
  readonly plan: Plan;
  readonly say: (line: string) => void;
}

async function compare({ core, copied, alone, plan, say }: Comparison) {
  for (const entrant of [copied, alone]) {
    await entrant.fill();
    await entrant.measure(plan.warmUp);
  }
  say(`${PLAYERS} players are in, twice`);
  const ratios: number[] = [];
  const bytes: number[] = [];
  const cpuUs = { copied: [] as number[], alone: [] as number[] };
  for (let round = 0; round < plan.rounds; round += 1) {
    const pair = new Map<Entrant, Window>();
    // Nobody is always the first to run.
    for (const entrant of round % 2 === 0 ? [copied, alone] : [alone, copied]) {
      const before = await copied.ask<number>("replicaBytes");
      const beganMs = performance.now();
      const window = await entrant.measure(plan.turn);
      if (entrant === copied) {
        const sent = (await copied.ask<number>("replicaBytes")) - before;
        bytes.push(sent / ROOMS / ((performance.now() - beganMs) / 1_000));
      }
      copied.freeze();
      pair.set(entrant, window);
    }
    const [withCopies, without] = [pair.get(copied), pair.get(alone)];
    if (!withCopies || !without || !flowed(withCopies) || !flowed(without)) {
      say(`round ${round + 1}: the machine had other work`);
      continue;
    }
    const [costWith, costWithout] = [costOf(withCopies), costOf(without)];
    const ratio = costWith / costWithout;
    ratios.push(ratio);
    cpuUs.copied.push(costWith);
    cpuUs.alone.push(costWithout);
    say(
      `round ${round + 1}: ${rounded(costWith)} µs for a patch to a player with copies, ` +
        `${rounded(costWithout)} without: ${rounded(ratio)}`,
    );
  }
  if (ratios.length === 0) throw new Error("no round had its traffic: is the machine busy?");
  const unprotectedRooms = await unprotected(core, copied);
  if (unprotectedRooms > 0) throw new Error(`${unprotectedRooms} rooms had no whole copy`);
  return {
    rooms: ROOMS,
    players: PLAYERS,
    rounds: ratios.length,
    cpuRatio: rounded(median(ratios)),
    cpuPerPatchUs: { copied: rounded(median(cpuUs.copied)), alone: rounded(median(cpuUs.alone)) },
    bytesPerRoomPerS: Math.round(median(bytes)),
    rssPerRoomKb: await moreRssPerRoomKb(copied, alone),
    unprotectedRooms,
  };
}

async function moreRssPerRoomKb(copied: Entrant, alone: Entrant): Promise<number> {
  const grown = await Promise.all([copied.rssPerPlayerKb(), alone.rssPerPlayerKb()]);
  return rounded((grown[0] - grown[1]) * ROOM_SEATS);
}

/** As the node says when nobody has frozen it for a moment. */
async function unprotected(core: TestCore, copied: Entrant): Promise<number> {
  const endsAtMs = performance.now() + PROTECTED_WITHIN_MS;
  let rooms = ROOMS;
  while (rooms > 0 && performance.now() < endsAtMs) {
    await copied.ask<number>("replicaBytes");
    await new Promise((resolve) => setTimeout(resolve, 250));
    const last = core.heartbeats.findLast(({ regionId }) => regionId === TEST_REGION);
    rooms = last?.replication?.unprotectedRooms ?? ROOMS;
  }
  return rooms;
}

/** By patch that reached a player: on a machine that was too busy for all of them a turn has fewer, and costs less. */
function costOf({ cpuPerPlayerUs, patchesPerPlayerPerS }: Window): number {
  return cpuPerPlayerUs / patchesPerPlayerPerS;
}

function flowed({ patchesPerPlayerPerS, inputsPerPlayerPerS }: Window): boolean {
  const perSMin = RATE_HZ * TRAFFIC_SHARE_MIN;
  return patchesPerPlayerPerS >= perSMin && inputsPerPlayerPerS >= perSMin;
}
