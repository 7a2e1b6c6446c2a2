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
import { startPostgres } from "../../../infra/postgres/embedded.ts";
import { findRedisServer, startRedis } from "../../../infra/redis/local.ts";
import { systemClock } from "../../../shared/clock.ts";
import { PlayerId, uuidV7 } from "../../../shared/ids.ts";
import { type Benchmark, type BenchmarkOptions, median, rounded } from "../benchmark.ts";
import { Child } from "../child.ts";
import type { CoreReady } from "../core-process.ts";
import { interruption } from "../interruption.ts";
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
}

export const syncBenchmark: Benchmark = {
  name: "sync",
  description: "players' documents through outbox, link and core, against one UPDATE a change",
  async run(options) {
    const signal = interruption();
    const dir = mkdtempSync(join(tmpdir(), "meridian-sync-"));
    const postgres = await startPostgres({ dataDir: join(dir, "postgres"), signal });
    const serverPath = findRedisServer(process.env);
    const redis = await startRedis({ dir: join(dir, "redis"), serverPath, signal });
    try {
      return await measure(options, { postgres: postgres.url, redis: redis.url }, signal);
    } finally {
      await redis.stop();
      await postgres.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  },
};

async function measure(
  { quick, say }: BenchmarkOptions,
  urls: { readonly postgres: string; readonly redis: string },
  signal: AbortSignal,
) {
  const env = { DATABASE_URL: urls.postgres };
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
  const playerIds = await makePlayers(urls.postgres);
  const perChange = await PerChange.start(urls.postgres, playerIds);
  try {
    const setup: RegionSetup = {
      link: ready.link,
      farLink: `${host}:${far.port}`,
      credentials: ready.region,
      redisUrl: urls.redis,
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
        const measured = { ...(await ask({ keys, ms, far: false })), perChangePerS };
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
    lagP99Ms: rounded(lag.lagP99Ms),
    outboxAppendP99Ms: rounded(median(all.map(({ appendP99Ms }) => appendP99Ms))),
    outboxAppendPacedP99Ms: rounded(lag.appendP99Ms),
  };
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
