/**
 * The queue of one core process: as many clients as fit wait in front of a region that is full, and poll when they
 * are told to. The core, its PostgreSQL and its Redis are on one processor, the clients on the other.
 *
 * - `cpuCores`: user and system time of the core's process, all its threads, a second of the window.
 * - `bytesPerWaiting`: what the core's live memory (heap and what it holds outside, after a garbage collection) has
 *   grown by since nobody waited, for each who waits; `megabytes`: what its resident memory has grown by.
 * - `pollP99Ms`: from when a poll was sent to its answer.
 * - `admissionsPerS`: with every seat free at once, players a second who get their ticket, in the best 5 s: those who
 *   wait far back hear of it only when their next poll is due.
 * - `ratioToFloor`: CPU time of a bare Fastify for one of the same polls, over the core's.
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startTestRegion, type TestRegion } from "../../../core/test-region.ts";
import { startPostgres } from "../../../infra/postgres/embedded.ts";
import { findRedisServer, startRedis } from "../../../infra/redis/local.ts";
import { sleep, systemClock } from "../../../shared/clock.ts";
import { type Benchmark, percentile, rounded } from "../benchmark.ts";
import { Child } from "../child.ts";
import { interruption } from "../interruption.ts";
import { LeanPool } from "../lean-pool.ts";
import { PlayerMint } from "../minted-players.ts";
import { treeCpuSeconds } from "../process-cpu.ts";
import { allowedProcessors, moveTo } from "../processors.ts";
import type { BareReady } from "../route/bare-process.ts";
import type { CoreCpu, CoreMemory, QueueCoreReady } from "./core-process.ts";
import { WaitingCrowd } from "./waiting-crowd.ts";

const CORE = fileURLToPath(new URL("core-process.ts", import.meta.url));
const BARE = fileURLToPath(new URL("bare-process.ts", import.meta.url));
const CONNECTIONS = 200;
/** Joins of those who enter that are under way at a time. */
const ENTERING_MAX = 100;
const SAY_EVERY = 10_000;
/** Every client has polled as often as it goes on polling. */
const SETTLE_MS = 5_000;
/** More than a core can let in: what is measured is how many it does. */
const ADMISSIONS_PER_SECOND = 1_000;
const FLOOR_MS = 5_000;
const RATE_OVER_S = 5;
const MB = 1_048_576;

interface Plan {
  readonly clients: number;
  readonly windowMs: number;
  readonly admitMs: number;
}

const FULL: Plan = { clients: 100_000, windowMs: 60_000, admitMs: 50_000 };
const QUICK: Plan = { clients: 10_000, windowMs: 20_000, admitMs: 15_000 };

type Say = (line: string) => void;

export const queueBenchmark: Benchmark = {
  name: "queue",
  description:
    "waiting clients that one core process carries: memory, processor, polls, admissions",
  goals: [
    {
      figure: "waiting",
      words: "players who wait at one core process",
      atLeast: 100_000,
      fullOnly: true,
    },
    {
      figure: "megabytes",
      words: "resident memory of all who wait",
      unit: "MB",
      atMost: 200,
      fullOnly: true,
    },
    { figure: "cpuCores", words: "processors of the core", atMost: 1, fullOnly: true },
  ],
  async run({ quick, say }) {
    const plan = quick ? QUICK : FULL;
    const signal = interruption();
    const [servers, generator] = allowedProcessors();
    const stops: (() => unknown)[] = [];
    try {
      if (servers !== undefined) moveTo(servers);
      const world = await startWorld(stops, signal);
      if (generator !== undefined) moveTo(generator);
      return await measure(world, { plan, say, signal, stops });
    } finally {
      for (const stop of stops.reverse()) await stop();
    }
  },
};

interface World {
  readonly core: Child;
  readonly ready: QueueCoreReady;
  readonly masterKey: Buffer;
  readonly bare: Child;
  readonly bareReady: BareReady;
}

async function startWorld(stops: (() => unknown)[], signal: AbortSignal): Promise<World> {
  const dir = mkdtempSync(join(tmpdir(), "meridian-queue-"));
  stops.push(() => rmSync(dir, { recursive: true, force: true }));
  const postgres = await startPostgres({ dataDir: join(dir, "postgres"), settings: {}, signal });
  stops.push(() => postgres.stop());
  const serverPath = findRedisServer(process.env);
  const redis = await startRedis({ dir: join(dir, "redis"), serverPath, user: "core", signal });
  stops.push(() => redis.stop());
  const masterKey = randomBytes(32);
  const [core, ready] = await Child.start<QueueCoreReady>({
    file: CORE,
    nodeOptions: ["--expose-gc"],
    env: {
      TEST_DATABASE_URL: postgres.url,
      ADMISSION_REDIS_URL: redis.url,
      ADMISSIONS_PER_SECOND: String(ADMISSIONS_PER_SECOND),
      MASTER_KEY: masterKey.toString("base64"),
    },
  });
  stops.push(() => core.stop());
  const env = { BODY_BYTES: "1000" };
  const [bare, bareReady] = await Child.start<BareReady>({ file: BARE, env });
  stops.push(() => bare.stop());
  return { core, ready, masterKey, bare, bareReady };
}

interface Run {
  readonly plan: Plan;
  readonly say: Say;
  readonly signal: AbortSignal;
  readonly stops: (() => unknown)[];
}

async function measure(world: World, { plan, say, signal, stops }: Run) {
  const { core, ready, masterKey } = world;
  const { clients, windowMs, admitMs } = plan;
  const mint = await PlayerMint.open(ready.databaseUrl, masterKey);
  stops.push(() => mint.close());
  const players = await mint.make(clients);
  const authority = { caPem: ready.region.ca, issue: async () => ready.region };
  const region = await startTestRegion({
    core: { linkAddress: ready.link, authority },
    name: "beijing",
  });
  stops.push(() => region.stop());
  await occupy(region, clients);
  const pool = new LeanPool(ready.url, CONNECTIONS);
  stops.push(() => pool.stop());
  const crowd = new WaitingCrowd(pool);
  stops.push(() => crowd.stop());
  const empty = await core.ask<CoreMemory>("memory");
  const beganMs = systemClock.monotonicMs();
  const rest = players.values();
  let entered = 0;
  const enterNext = async () => {
    for (const player of rest) {
      signal.throwIfAborted();
      await crowd.enter(player);
      entered += 1;
      if (entered % SAY_EVERY !== 0) continue;
      say(`${entered} wait after ${rounded((systemClock.monotonicMs() - beganMs) / 1_000)} s`);
    }
  };
  await Promise.all(Array.from({ length: ENTERING_MAX }, enterNext));
  const enteredPerS = (clients * 1_000) / (systemClock.monotonicMs() - beganMs);
  await sleep(systemClock, SETTLE_MS, signal);

  crowd.pollsMs.length = 0;
  crowd.refused.clear();
  const before = await core.ask<CoreCpu>("cpu");
  await sleep(systemClock, windowMs, signal);
  const after = await core.ask<CoreCpu>("cpu");
  signal.throwIfAborted();
  const pollsMs = [...crowd.pollsMs];
  const refused = Object.fromEntries(crowd.refused);
  const seconds = (after.atMs - before.atMs) / 1_000;
  const cpuCores = (after.cpuS - before.cpuS) / seconds;
  const { waiting } = crowd;
  const full = await core.ask<CoreMemory>("memory");
  const cpuPerPollUs = ((after.cpuS - before.cpuS) * 1e6) / pollsMs.length;
  say(
    `${waiting} wait: ${rounded(cpuCores)} cores, ${rounded(pollsMs.length / seconds)} polls/s, ` +
      `${rounded((full.rssBytes - empty.rssBytes) / MB)} MB`,
  );

  crowd.refused.clear();
  await occupy(region, 0);
  const admissionsPerS = await bestRate(crowd, admitMs, signal);
  say(
    `${rounded(admissionsPerS)} let in a second; refused meanwhile: ${JSON.stringify(Object.fromEntries(crowd.refused))}`,
  );
  const { lastPoll } = crowd;
  crowd.stop();
  const floorCpuUs = await floorOf(world, lastPoll);
  return {
    waiting,
    enteredPerS: rounded(enteredPerS),
    bytesPerWaiting: Math.round((full.liveBytes - empty.liveBytes) / waiting),
    megabytes: rounded((full.rssBytes - empty.rssBytes) / MB),
    megabytesBefore: rounded(empty.rssBytes / MB),
    cpuCores: rounded(cpuCores),
    pollsPerS: rounded(pollsMs.length / seconds),
    pollP50Ms: rounded(percentile(pollsMs, 50)),
    pollP99Ms: rounded(percentile(pollsMs, 99)),
    refused,
    cpuPerPollUs: rounded(cpuPerPollUs),
    floorCpuPerPollUs: rounded(floorCpuUs),
    ratioToFloor: rounded(floorCpuUs / cpuPerPollUs),
    admissionsPerS: rounded(admissionsPerS),
  };
}

/** @returns players a second who were let in, in the best 5 s */
async function bestRate(crowd: WaitingCrowd, forMs: number, signal: AbortSignal): Promise<number> {
  const seated: number[] = [crowd.seated];
  const endMs = systemClock.monotonicMs() + forMs;
  let best = 0;
  while (systemClock.monotonicMs() < endMs && crowd.waiting > 0) {
    await sleep(systemClock, 1_000, signal);
    signal.throwIfAborted();
    seated.push(crowd.seated);
    const before = seated.at(-1 - RATE_OVER_S) ?? crowd.seated;
    best = Math.max(best, (crowd.seated - before) / RATE_OVER_S);
  }
  return best;
}

/** The region says that so many of its seats are taken. */
async function occupy(region: TestRegion, connected: number): Promise<void> {
  // More than the clients: every one of them has a seat at once when nobody is there.
  const capacity = Math.max(connected, FULL.clients);
  await region.beat({ capacity, connected: connected === 0 ? 0 : capacity });
}

/** @returns µs of a bare Fastify's process for one poll */
async function floorOf({ bare, bareReady }: World, poll: string): Promise<number> {
  const pool = new LeanPool(bareReady.url, CONNECTIONS);
  const round = async () => {
    const endMs = systemClock.monotonicMs() + FLOOR_MS;
    let answers = 0;
    const ask = async () => {
      for (; systemClock.monotonicMs() < endMs; answers += 1)
        await pool.post("/v1/queue/poll", poll);
    };
    await Promise.all(Array.from({ length: CONNECTIONS / 4 }, ask));
    return answers;
  };
  // The first one runs code that is not compiled yet.
  await round();
  const before = treeCpuSeconds(bare.pid) ?? Number.NaN;
  const answers = await round();
  const after = treeCpuSeconds(bare.pid) ?? Number.NaN;
  pool.stop();
  return ((after - before) * 1e6) / answers;
}
