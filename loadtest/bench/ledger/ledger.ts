/**
 * Operations on money, durable when answered, against what the same PostgreSQL does for its own
 * benchmark. The whole way is measured: the nodes' link client, mutual TLS, the core, the database.
 *
 * The two take turns on one server with its default settings, so that a commit waits for the disk for
 * both. pgbench's statements are prepared, as ours are; that makes it the faster for it.
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { type RunningPostgres, startPostgres } from "../../../infra/postgres/embedded.ts";
import { systemClock } from "../../../shared/clock.ts";
import { PlayerId, uuidV7 } from "../../../shared/ids.ts";
import {
  type Benchmark,
  type BenchmarkOptions,
  median,
  percentile,
  rounded,
} from "../benchmark.ts";
import { Child } from "../child.ts";
import type { CoreReady } from "../core-process.ts";
import { interruption } from "../interruption.ts";
import { ownCpuSeconds, treeCpuSeconds } from "../process-cpu.ts";
import { Nodes } from "./nodes.ts";
import { findPgbench, Pgbench } from "./pgbench.ts";

const CALLERS = [1, 64] as const;
/** Rooms here and branches there: each operation locks one of them. */
const ROOMS = 64;
const SCALE = 64;
const SCALE_QUICK = 32;
const PLAYERS = 2_048;
const CORE = fileURLToPath(new URL("../core-process.ts", import.meta.url));

interface Sides {
  readonly nodes: Nodes;
  readonly core: Child;
  readonly pgbench: Pgbench;
  readonly postgresPid: number;
}

interface Round {
  readonly opsPerS: number;
  readonly p99Ms: number;
  readonly pgbenchTps: number;
  readonly pgbenchP99Ms: number;
  /** CPU time of one operation by process, ms; NaN where the system does not tell. */
  readonly callersCpuMs: number;
  readonly coreCpuMs: number;
  readonly postgresCpuMs: number;
  /** Of PostgreSQL for one transaction of pgbench. */
  readonly pgbenchPostgresCpuMs: number;
}

export const ledgerBenchmark: Benchmark = {
  name: "ledger",
  description: "operations on money through link and core, against pgbench on the same PostgreSQL",
  goals: [
    {
      figure: "ratioToPgbench",
      words: "operations a second against pgbench, 64 callers",
      atLeast: 0.5,
    },
  ],
  async run(options) {
    const signal = interruption();
    const program = findPgbench(process.env);
    const dir = mkdtempSync(join(tmpdir(), "meridian-ledger-"));
    const settings = { max_connections: "200" };
    const postgres = await startPostgres({ dataDir: dir, settings, signal });
    try {
      return await againstPgbench(options, new Pgbench(program, postgres.url), postgres, signal);
    } finally {
      await postgres.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  },
};

async function againstPgbench(
  { quick, say }: BenchmarkOptions,
  pgbench: Pgbench,
  { url: databaseUrl, pid: postgresPid }: RunningPostgres,
  signal: AbortSignal,
) {
  await pgbench.initialise(quick ? SCALE_QUICK : SCALE, signal);
  const env = { DATABASE_URL: databaseUrl };
  const [core, ready] = await Child.start<CoreReady>({ file: CORE, env });
  let nodes: Nodes | undefined;
  try {
    nodes = await Nodes.start(ready, ROOMS, await makePlayers(databaseUrl));
    const rounds = new Map<number, Round[]>(CALLERS.map((callers) => [callers, []]));
    const roundMs = quick ? 2_000 : 6_000;
    // The first calls of a process run code that is not compiled yet, on connections not made yet.
    await nodes.run(Math.max(...CALLERS), roundMs, signal);
    for (let round = 1; round <= (quick ? 3 : 7); round += 1) {
      for (const callers of CALLERS) {
        const sides = { nodes, core, pgbench, postgresPid };
        const measured = await runRound(sides, { callers, ms: roundMs }, signal);
        rounds.get(callers)?.push(measured);
        say(`round ${round}, ${callers} callers: ${lineOf(measured)}`);
      }
    }
    return figures(rounds);
  } finally {
    await nodes?.stop();
    await core.stop();
  }
}

async function runRound(
  { nodes, core, pgbench, postgresPid }: Sides,
  { callers, ms }: { readonly callers: number; readonly ms: number },
  signal: AbortSignal,
): Promise<Round> {
  const cpuMs = () => ({
    callers: ownCpuSeconds() * 1_000,
    core: cpuMsOf(core.pid),
    postgres: cpuMsOf(postgresPid),
  });
  const beganMs = systemClock.monotonicMs();
  const before = cpuMs();
  const tookMs = await nodes.run(callers, ms, signal);
  const opsPerS = (tookMs.length * 1_000) / (systemClock.monotonicMs() - beganMs);
  const between = cpuMs();
  const theirs = await pgbench.run(callers, ms / 1_000, signal);
  const after = cpuMs();
  return {
    opsPerS,
    p99Ms: percentile(tookMs, 99),
    pgbenchTps: theirs.tps,
    pgbenchP99Ms: percentile(theirs.latenciesMs, 99),
    callersCpuMs: (between.callers - before.callers) / tookMs.length,
    coreCpuMs: (between.core - before.core) / tookMs.length,
    postgresCpuMs: (between.postgres - before.postgres) / tookMs.length,
    pgbenchPostgresCpuMs: (after.postgres - between.postgres) / theirs.latenciesMs.length,
  };
}

function cpuMsOf(pid: number): number {
  return (treeCpuSeconds(pid) ?? Number.NaN) * 1_000;
}

function figures(rounds: ReadonlyMap<number, readonly Round[]>) {
  const middle = (callers: number, name: keyof Round) =>
    rounded(median((rounds.get(callers) ?? []).map((round) => round[name])));
  const ratio = (callers: number) =>
    rounded(median((rounds.get(callers) ?? []).map((one) => one.opsPerS / one.pgbenchTps)));
  const callers = CALLERS.map((count) => [
    count,
    {
      opsPerS: middle(count, "opsPerS"),
      p99Ms: middle(count, "p99Ms"),
      pgbenchTps: middle(count, "pgbenchTps"),
      pgbenchP99Ms: middle(count, "pgbenchP99Ms"),
      ratioToPgbench: ratio(count),
      cpuMs: {
        callers: middle(count, "callersCpuMs"),
        core: middle(count, "coreCpuMs"),
        postgres: middle(count, "postgresCpuMs"),
        pgbenchPostgres: middle(count, "pgbenchPostgresCpuMs"),
      },
    },
  ]);
  return { callers: Object.fromEntries(callers), ratioToPgbench: ratio(Math.max(...CALLERS)) };
}

function lineOf({ opsPerS, p99Ms, pgbenchTps, pgbenchP99Ms }: Round): string {
  const ours = `${Math.round(opsPerS)} operations/s, p99 ${rounded(p99Ms)} ms`;
  const theirs = `pgbench ${Math.round(pgbenchTps)}/s, p99 ${rounded(pgbenchP99Ms)} ms`;
  return `${ours}; ${theirs}: ${rounded(opsPerS / pgbenchTps)}`;
}

/** Accounts alone: they get their money by operations. */
async function makePlayers(databaseUrl: string): Promise<PlayerId[]> {
  const players = Array.from({ length: PLAYERS }, () =>
    PlayerId.parse(uuidV7(systemClock.nowMs(), randomBytes(10))),
  );
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    await client.query(
      `insert into meridian.players (id, name, ephemeral, created_at)
       select id, 'Ada', false, now() from unnest($1::uuid[]) as d (id)`,
      [players],
    );
  } finally {
    await client.end();
  }
  return players;
}
