/**
 * Changes of players' documents on their whole way, from where rooms make them until they are durable at
 * the core: outbox, the region's Redis, the link, PostgreSQL. Against one `UPDATE` for each change over
 * eight connections beside the same PostgreSQL, which is what a game does that does not write behind.
 *
 * Producers are not held back: only the outbox's own limit slows them down. `hot` changes the same document of
 * 1,000 players again and again; `uniform` changes another document each time, so that there is nothing to
 * merge. A round counts from its first change until its last one is durable.
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { startDelayProxy } from "../../../infra/local/wan/delay-proxy.ts";
import { type RunningPostgres, startPostgres } from "../../../infra/postgres/embedded.ts";
import { findRedisServer, type RunningRedis, startRedis } from "../../../infra/redis/local.ts";
import { systemClock } from "../../../shared/clock.ts";
import { PlayerId, uuidV7 } from "../../../shared/ids.ts";
import { type Benchmark, type BenchmarkOptions, median, rounded } from "../benchmark.ts";
import { Child } from "../child.ts";
import type { CoreReady } from "../core-process.ts";
import { interruption } from "../interruption.ts";
import { treeCpuSeconds } from "../process-cpu.ts";
import { PerChange } from "./per-change.ts";
import type { RegionSetup, RunAnswer, RunQuestion } from "./region-process.ts";

const PLAYERS = 4_000;
const ONE_WAY_MS = 40;
/** At which the lag is measured: a full region's worth, not its limit. */
const LAG_CHANGES_PER_S = 2_000;
const CORE = fileURLToPath(new URL("../core-process.ts", import.meta.url));
const REGION = fileURLToPath(new URL("region-process.ts", import.meta.url));
const KEYS = ["hot", "uniform"] as const;

interface Round extends RunAnswer {
  readonly perChangePerS: number;
  /** CPU time by process, for all of the round, s; NaN where the system does not tell. */
  readonly cpuS: Readonly<Record<ProcessName, number>>;
}

const PROCESSES = ["region", "core", "postgres", "redis"] as const;
type ProcessName = (typeof PROCESSES)[number];

export const syncBenchmark: Benchmark = {
  name: "sync",
  description: "players' documents through outbox, link and core, against one UPDATE a change",
  goals: [
    {
      figure: "hot.ratio",
      words: "changes a second against one UPDATE each, 1,000 players",
      atLeast: 20,
    },
    { figure: "uniform.ratio", words: "the same, every change another document", atLeast: 5 },
    {
      figure: "lagP99Ms",
      words: "from a change until its player knows that it is saved, 40 ms each way, p99",
      unit: "ms",
      atMost: 500,
    },
  ],
  async run(options) {
    const signal = interruption();
    const dir = mkdtempSync(join(tmpdir(), "meridian-sync-"));
    const postgres = await startPostgres({ dataDir: join(dir, "postgres"), signal });
    const serverPath = findRedisServer(process.env);
    const redis = await startRedis({ dir: join(dir, "redis"), serverPath, signal });
    try {
      return await measure(options, { postgres, redis }, signal);
    } finally {
      await redis.stop();
      await postgres.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  },
};

async function measure(
  { quick, say }: BenchmarkOptions,
  { postgres, redis }: { readonly postgres: RunningPostgres; readonly redis: RunningRedis },
  signal: AbortSignal,
) {
  const env = { DATABASE_URL: postgres.url };
  const [core, ready] = await Child.start<CoreReady>({ file: CORE, env });
  const [region] = await Child.start<string>({ file: REGION });
  const [host = "", port = ""] = ready.link.split(":");
  const far = await startDelayProxy({
    listenHost: host,
    listenPort: 0,
    targetHost: host,
    targetPort: Number(port),
    oneWayMs: ONE_WAY_MS,
  });
  const playerIds = await makePlayers(postgres.url);
  const perChange = await PerChange.start(postgres.url, playerIds);
  const pids = { region: region.pid, core: core.pid, postgres: postgres.pid, redis: redis.pid };
  try {
    const setup: RegionSetup = {
      link: ready.link,
      farLink: `${host}:${far.port}`,
      credentials: ready.region,
      redisUrl: redis.url,
      playerIds,
    };
    await region.ask(setup);
    say(`${PLAYERS} players loaded`);
    const ask = (question: RunQuestion) => region.ask<RunAnswer>(question);
    const ms = quick ? 2_000 : 5_000;
    // The first run of each makes the documents that all later ones change.
    for (const keys of KEYS) await ask({ keys, ms: 4_000, far: false });
    const rounds = { hot: [] as Round[], uniform: [] as Round[] };
    for (let round = 1; round <= (quick ? 3 : 7); round += 1) {
      for (const keys of KEYS) {
        signal.throwIfAborted();
        const perChangePerS = await perChange.run(keys, ms);
        const before = cpuSecondsOf(pids);
        const answer = await ask({ keys, ms, far: false });
        const after = cpuSecondsOf(pids);
        const cpuS = eachProcess((name) => after[name] - before[name]);
        const measured = { ...answer, perChangePerS, cpuS };
        rounds[keys].push(measured);
        say(`round ${round}, ${keys}: ${lineOf(measured)}`);
      }
    }
    const paced = { keys: "hot", ms, perSecond: LAG_CHANGES_PER_S, far: true } as const;
    // The first calls over the long way make its connections.
    await ask({ ...paced, ms: 1_000 });
    const lag = await ask(paced);
    say(`lag p99 with ${ONE_WAY_MS} ms each way: ${rounded(lag.lagP99Ms)} ms`);
    return figures(rounds, lag);
  } finally {
    await perChange.stop();
    await far.stop();
    await region.stop();
    await core.stop();
  }
}

function figures(rounds: Record<"hot" | "uniform", readonly Round[]>, lag: RunAnswer) {
  const all = [...rounds.hot, ...rounds.uniform];
  const middle = (of: readonly Round[], read: (round: Round) => number) =>
    rounded(median(of.map(read)));
  const side = (of: readonly Round[]) => ({
    changesPerS: middle(
      of,
      perS(({ changes }) => changes),
    ),
    rowsPerS: middle(
      of,
      perS(({ rows }) => rows),
    ),
    perChangePerS: middle(of, (round) => round.perChangePerS),
    ratio: middle(of, (round) => perS(({ changes }) => changes)(round) / round.perChangePerS),
    bytesPerChange: middle(of, ({ bytes, changes }) => bytes / changes),
  });
  return {
    perChangePerS: middle(all, (round) => round.perChangePerS),
    hot: side(rounds.hot),
    uniform: side(rounds.uniform),
    bytesPerChange: middle(rounds.uniform, ({ bytes, changes }) => bytes / changes),
    // Of rows that nothing was merged into, so that the region's share is that of a change as well.
    cpuPerRowUs: eachProcess((name) =>
      middle(rounds.uniform, ({ cpuS, rows }) => (cpuS[name] * 1e6) / rows),
    ),
    lagP99Ms: rounded(lag.lagP99Ms),
    outboxAppendP99Ms: rounded(median(all.map(({ appendP99Ms }) => appendP99Ms))),
    outboxAppendPacedP99Ms: rounded(lag.appendP99Ms),
  };
}

function cpuSecondsOf(pids: Readonly<Record<ProcessName, number>>): Record<ProcessName, number> {
  return eachProcess((name) => treeCpuSeconds(pids[name]) ?? Number.NaN);
}

function eachProcess(read: (name: ProcessName) => number): Record<ProcessName, number> {
  const [region, core, postgres, redis] = PROCESSES.map(read) as [number, number, number, number];
  return { region, core, postgres, redis };
}

function perS(read: (round: Round) => number): (round: Round) => number {
  return (round) => (read(round) * 1_000) / round.tookMs;
}

function lineOf(round: Round): string {
  const changes = perS(({ changes }) => changes)(round);
  const rows = perS(({ rows }) => rows)(round);
  const ours = `${Math.round(changes)} changes/s in ${Math.round(rows)} rows/s`;
  const theirs = `one UPDATE each ${Math.round(round.perChangePerS)}/s`;
  return `${ours}; ${theirs}: ${rounded(changes / round.perChangePerS)}`;
}

async function makePlayers(url: string): Promise<PlayerId[]> {
  const playerIds = Array.from({ length: PLAYERS }, () => {
    return PlayerId.parse(uuidV7(systemClock.nowMs(), randomBytes(10)));
  });
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(
      `insert into meridian.players (id, name, ephemeral, created_at)
       select id, 'Ada', false, now() from unnest($1::uuid[]) as d (id)`,
      [playerIds],
    );
    await client.query(
      `insert into meridian.sessions (player_id, epoch_term, epoch_n, updated_at)
       select id, 1, 1, now() from unnest($1::uuid[]) as d (id)`,
      [playerIds],
    );
  } finally {
    await client.end();
  }
  return playerIds;
}
