/**
 * The drill: players trade and write in a real world; a base backup is taken and they play on; then the whole of the
 * database is lost, and restored while the nodes live on. They send again what the restored core has forgotten.
 * Nothing that a player was told may be missing then, or be there twice, and no epoch may have been granted twice.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { callOps, type OpsCall } from "../../core/ops/cli-client.ts";
import { reconcile } from "../../core/ops/cli-reconcile.ts";
import { takeBackup } from "../../infra/backup/base-backup.ts";
import { POSTGRES_DIR, restoreCluster } from "../../infra/backup/in-place.ts";
import type { Target } from "../../infra/backup/target.ts";
import type { ProcessHandle } from "../../infra/local/processes.ts";
import type { LocalWorld } from "../../infra/local/world.ts";
import { signalProcess, waitForEnd } from "../../infra/process/pid.ts";
import { childrenOf } from "../../loadtest/bench/process-cpu.ts";
import { systemClock } from "../../shared/clock.ts";
import { auditDiariesAtRest, auditNow } from "../faults/audits.ts";
import type { Audit } from "../faults/value/audit.ts";
import type { PromisedOp } from "../faults/value/client-records.ts";
import type { DiaryAudit } from "../faults/value/diary-audit.ts";
import { Traders } from "../faults/value/traders.ts";
import { until } from "../until.ts";
import { type Grant, grantedTwice, notAbove, noteEpochs, readGrants } from "./epochs.ts";

export interface DrillOptions {
  /** With `WORLD_OPTIONS` of the faults and `backupDir`. */
  readonly world: LocalWorld;
  readonly backupDir: string;
  readonly tradersPerRegion: number;
  /** Operations between two steps. */
  readonly opsPerStep: number;
  /** Where each loss is restored to: `time` is a moment between two operations. */
  readonly losses: readonly ("latest" | "time")[];
  readonly seed: number;
  readonly say: (line: string) => void;
}

/** What one loss cost, and how long it took. */
export interface Loss {
  readonly target: "latest" | "time";
  /** Operations that players had been told of, and how many of them the restored database had not. */
  readonly promised: number;
  readonly forgotten: number;
  readonly restoreMs: number;
  /** From the loss of the database to a core that serves. */
  readonly servingMs: number;
  /** From then to the last forgotten operation's being there again. */
  readonly sentAgainMs: number;
}

export interface DrillResult {
  readonly losses: readonly Loss[];
  readonly audit: Audit;
  readonly diaries: DiaryAudit;
}

const AGAIN_WITHIN_MS = 60_000;
const KILL_MS = 5_000;

/** @throws when something is lost or doubled, an epoch was granted twice, or the ledger does not agree */
export async function runDrill(options: DrillOptions): Promise<DrillResult> {
  const { world, tradersPerRegion: perRegion, seed, say, backupDir, opsPerStep } = options;
  const regionIds = [...world.regions.keys()];
  const traders = new Traders({
    ...{ url: world.core.url, regionIds, perRegion, seed },
    closed: new Set(),
  });
  const end = new AbortController();
  const playing = traders.run(end.signal);
  const scene: Scene = { ...options, traders };
  const losses: Loss[] = [];
  try {
    await noteEpochs(world.databaseUrl);
    // Accounts that are made after the backup are lost with it, by design.
    await until("all have written", () => traders.diaries.every(({ pages }) => pages.length > 0));
    await moreOps(scene, opsPerStep);
    await takeBackup({ url: world.databaseUrl, dir: backupDir, clock: systemClock, say });
    for (const kind of options.losses) losses.push(await loseAndRestore(scene, kind));
    await moreOps(scene, opsPerStep);
  } finally {
    end.abort();
    await playing;
  }
  const audit = await auditNow(world, traders);
  const diaries = await auditDiariesAtRest(world, traders);
  const call = <T>(ops: OpsCall<T>) =>
    callOps({ url: world.core.opsUrl, token: world.operatorToken }, ops);
  const { text, agrees } = await reconcile(call);
  if (!agrees) throw new Error(text);
  return { losses, audit, diaries };
}

interface Scene extends DrillOptions {
  readonly traders: Traders;
}

async function loseAndRestore(scene: Scene, kind: "latest" | "time"): Promise<Loss> {
  const { world, traders, opsPerStep, say } = scene;
  await moreOps(scene, opsPerStep);
  const target: Target =
    kind === "latest" ? { kind } : { kind, at: await databaseTime(world.databaseUrl) };
  await moreOps(scene, opsPerStep);
  await switchSegment(world.databaseUrl);
  // Of these the archive has nothing.
  await moreOps(scene, opsPerStep);

  const beganMs = systemClock.monotonicMs();
  world.core.knockOut();
  const { promised } = traders.records;
  const lost = await readGrants(world.databaseUrl);
  await losePostgres(scene);
  say(`lost: ${promised.length} operations were promised`);
  const dataDir = join(world.dir, POSTGRES_DIR);
  const restored = await restoreCluster(dataDir, {
    ...{ from: scene.backupDir, target, clock: systemClock, say },
  });
  await partOf(world.postgres).restart();
  const forgotten = await forgottenOf(promised, world.databaseUrl);
  const kept = await readGrants(world.databaseUrl);
  await world.core.restart();
  const servingMs = systemClock.monotonicMs() - beganMs;
  const missing = async () => (await forgottenOf(promised, world.databaseUrl)) === 0;
  await until("what was forgotten is there again", missing, AGAIN_WITHIN_MS);
  const sentAgainMs = systemClock.monotonicMs() - beganMs - servingMs;
  await moreOps(scene, opsPerStep);
  checkEpochs(restored.term?.term ?? 0, { lost, kept, found: await readGrants(world.databaseUrl) });
  return {
    target: kind,
    promised: promised.length,
    forgotten,
    restoreMs: restored.tookMs,
    servingMs,
    sentAgainMs,
  };
}

/** Killed at once, and all that it had on its disk is gone. */
async function losePostgres({ world }: Scene): Promise<void> {
  const postgres = partOf(world.postgres);
  const pid = partOf(postgres.pid);
  const all = [pid, ...childrenOf(pid)];
  // Stopped first: what is left of a PostgreSQL would tidy up after the others.
  for (const one of all) signalProcess(one, "SIGSTOP");
  postgres.knockOut();
  for (const one of all) signalProcess(one, "SIGKILL");
  for (const one of all) await waitForEnd(one, KILL_MS);
  rmSync(join(world.dir, POSTGRES_DIR, "data"), { recursive: true });
}

function checkEpochs(term: number, grants: Record<"lost" | "kept" | "found", Grant[]>): void {
  const twice = grantedTwice(grants.lost, grants.found);
  if (twice.length > 0) throw new Error(`granted twice: ${twice.join("; ")}`);
  const low = notAbove(term, grants);
  if (low.length > 0) throw new Error(`not above what was granted before: ${low.join("; ")}`);
}

/** Waits until players have been told of so many more. */
async function moreOps({ traders: { records } }: Scene, count: number): Promise<void> {
  const wanted = records.promised.length + count;
  await until(`${wanted} operations`, () => records.promised.length >= wanted, AGAIN_WITHIN_MS);
}

async function forgottenOf(promised: readonly PromisedOp[], url: string): Promise<number> {
  const ids = promised.map(({ id }) => id);
  const text = "select count(*)::int as count from meridian.ops where op_id = any($1)";
  return ids.length - Number((await query(url, text, [ids]))?.count);
}

async function databaseTime(url: string): Promise<Date> {
  return new Date(String((await query(url, "select clock_timestamp()::text as at"))?.at));
}

/** Resolves once the segment that is written now is archived. */
async function switchSegment(url: string): Promise<void> {
  const done = await query(url, "select pg_walfile_name(pg_switch_wal()) as name");
  const archived = "select last_archived_wal >= $1 as done from pg_stat_archiver";
  await until(
    "the segment is archived",
    async () => (await query(url, archived, [done?.name]))?.done,
  );
}

async function query(url: string, text: string, values: readonly unknown[] = []) {
  const client = new pg.Client({ connectionString: url, query_timeout: KILL_MS });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text, [...values])).rows[0];
  } finally {
    await client.end();
  }
}

/** The drill's world has all parts of its own. */
function partOf<T extends ProcessHandle | number>(part: T | undefined): T {
  if (part === undefined) throw new Error("this world has no such part of its own");
  return part;
}
