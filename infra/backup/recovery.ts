/**
 * Lets a restored cluster recover: a server of its own replays the archive up to the target, is promoted, the
 * core's term is raised, and the server ends. It listens on a socket in a folder that only it and this process
 * can enter, so nobody can use the database before its term is raised.
 *
 * Its settings come with the command, over those that the cluster brings along, which name its former life's
 * archive and addresses. Of what it writes itself nothing is archived yet: that waits for the server that serves.
 */
import { chownSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { followLineage, type RaisedTerm, raiseTerm } from "../../core/db/term.ts";
import { type Clock, sleep } from "../../shared/clock.ts";
import { postgresEnv, type RunAs } from "../postgres/binaries.ts";
import { dataDirArgument } from "../postgres/cluster.ts";
import { type EndStep, endProcess } from "../process/pid.ts";
import { type Launched, launchServer } from "../process/server-process.ts";
import { recoveringServer, type ServerArchive } from "./archive.ts";
import { endedEarly } from "./recovery-log.ts";
import { type Target, targetText, type Way } from "./target.ts";
import { lsnText, parseLsn } from "./wal-names.ts";

export interface RecoveryOptions {
  /** The cluster as it was copied. */
  readonly data: string;
  readonly way: Way;
  readonly target: Target;
  /** The folder of backups. */
  readonly from: string;
  /** The path of `postgres`. */
  readonly program: string;
  readonly runAs: RunAs;
  /** To become the superuser's, if given. */
  readonly password?: string | undefined;
  readonly clock: Clock;
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface Recovered {
  /** The end of the last record that was replayed. */
  readonly lsn: string;
  /** When the last transaction was committed that is in it; undefined when none was since the backup. */
  readonly lastTransactionAt: Date | undefined;
  /** The new one. */
  readonly timeline: number;
  /** Undefined for a database that no core has used. */
  readonly term: RaisedTerm | undefined;
}

const PORT = 5432;
const POLL_MS = 50;
const PROGRESS_MS = 2_000;
/** The server writes a line of progress each 10 s, so one that is silent for so long hangs. */
const SILENT_MS_MAX = 300_000;
const PROBE_MS = 2_000;
/** The end of the recovery may still be written down. */
const QUERY_MS = 60_000;
/** It writes all that was replayed to the disk. */
const STOP_STEPS: readonly EndStep[] = [
  ["SIGINT", 120_000],
  ["SIGQUIT", 5_000],
  ["SIGKILL", 5_000],
];
/** When it is given up, all of it goes. */
const GIVE_UP_STEPS: readonly EndStep[] = STOP_STEPS.slice(1);

/** @throws one clear line; no server runs then */
export async function recover(options: RecoveryOptions): Promise<Recovered> {
  const { data, runAs } = options;
  // Short, because the name of a socket has room for about 100 characters.
  const scratch = mkdtempSync(join(tmpdir(), "meridian-restore-"));
  try {
    const logFile = join(scratch, "postgres.log");
    const files = { "recovery.signal": data, "postgresql.conf": scratch, "pg_ident.conf": scratch };
    for (const [name, folder] of Object.entries(files)) give(join(folder, name), "", runAs);
    give(join(scratch, "pg_hba.conf"), "local all all trust\n", runAs);
    own(scratch, runAs);
    const archive = recoveringServer(options.from, scratch, runAs);
    const server = launchServer({
      ...runAs,
      program: options.program,
      args: argumentsOf(options, scratch, archive),
      cwd: data,
      env: postgresEnv(),
      logFile,
      folders: archive.folders,
    });
    let steps = GIVE_UP_STEPS;
    try {
      await recovered(server, logFile, scratch, options);
      const found = await finish(scratch, options);
      steps = STOP_STEPS;
      return found;
    } finally {
      if (server.pid !== undefined) await endProcess(server.pid, steps);
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function argumentsOf(
  { data, way, target }: RecoveryOptions,
  scratch: string,
  archive: ServerArchive,
): string[] {
  const settings: Record<string, string> = {
    config_file: join(scratch, "postgresql.conf"),
    hba_file: join(scratch, "pg_hba.conf"),
    ident_file: join(scratch, "pg_ident.conf"),
    listen_addresses: "",
    unix_socket_directories: scratch,
    port: String(PORT),
    ssl: "off",
    // What was copied must be on the disk before it recovers. File by file that took three quarters of
    // the time of restoring an empty database (5.6 s in place of 1.6 s).
    ...(process.platform === "linux" && { recovery_init_sync_method: "syncfs" }),
    shared_preload_libraries: "",
    logging_collector: "off",
    log_destination: "stderr",
    log_timezone: "UTC",
    timezone: "UTC",
    wal_level: "replica",
    // What this life writes is kept until the server that serves archives it.
    archive_mode: "on",
    archive_library: "",
    archive_command: "",
    // Without, it takes connections only once it is promoted, and the former settings' sizes are not needed.
    hot_standby: "off",
    recovery_target_action: "promote",
    recovery_target_timeline: String(way.timeline),
    ...targetSettings(target),
    ...archive.settings,
  };
  return [
    "-D",
    dataDirArgument(data),
    ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
  ];
}

function targetSettings(target: Target): Record<string, string> {
  if (target.kind === "time") {
    // It takes no "Z": names of time zones are not known yet when it reads this.
    return { recovery_target_time: target.at.toISOString().replace("T", " ").replace("Z", "+00") };
  }
  return target.kind === "lsn" ? { recovery_target_lsn: lsnText(target.lsn) } : {};
}

/** Resolves once it takes connections, which it does after its promotion. */
async function recovered(
  server: Launched,
  logFile: string,
  socketFolder: string,
  options: RecoveryOptions,
): Promise<void> {
  const { clock, say, signal } = options;
  let bytes = -1;
  let grewMs = clock.monotonicMs();
  let saidMs = grewMs;
  for (;;) {
    signal?.throwIfAborted();
    if (await answers(socketFolder, options)) return;
    if (server.failure() !== undefined) {
      throw new Error(endedEarly(readFileSync(logFile, "utf8"), options));
    }
    const size = statSync(logFile).size;
    const nowMs = clock.monotonicMs();
    if (size !== bytes) grewMs = nowMs;
    bytes = size;
    if (nowMs - grewMs > SILENT_MS_MAX) {
      throw new Error(
        `the server that recovers hangs: ${readFileSync(logFile, "utf8").slice(-500)}`,
      );
    }
    if (nowMs - saidMs >= PROGRESS_MS) {
      saidMs = nowMs;
      const restored = readFileSync(logFile, "utf8").match(/restored log file "\w+"/g) ?? [];
      say(
        `files of the archive read: ${restored.length}, on the way to ${targetText(options.target)}`,
      );
    }
    await sleep(clock, POLL_MS, signal);
  }
}

function clientFor(host: string, { way }: RecoveryOptions, timeoutMs: number): pg.Client {
  const { database, superuser } = way.backup;
  const client = new pg.Client({
    ...{ host, port: PORT, database, user: superuser },
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
    application_name: "meridian-restore",
  });
  // A connection that breaks while idle reports here; the query's own failure is what counts.
  client.on("error", () => {});
  return client;
}

async function answers(host: string, options: RecoveryOptions): Promise<boolean> {
  const client = clientFor(host, options, PROBE_MS);
  try {
    await client.connect();
    return true;
  } catch (error) {
    // The database of the backup may not have been there yet at the target.
    if (error instanceof pg.DatabaseError && error.code === "3D000") throw error;
    // Still recovering: the caller asks again.
    return false;
  } finally {
    await client.end().catch(() => {
      // It never connected.
    });
  }
}

async function finish(host: string, options: RecoveryOptions): Promise<Recovered> {
  const { password, way } = options;
  const client = clientFor(host, options, QUERY_MS);
  await client.connect();
  try {
    const { rows } = await client.query<{
      lsn: string;
      at: Date | null;
      timeline: number;
      hasCore: boolean;
    }>(
      `select pg_last_wal_replay_lsn()::text as lsn, pg_last_xact_replay_timestamp() as at,
         ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int as timeline,
         to_regclass('meridian.core_term') is not null as "hasCore"`,
    );
    const [row] = rows;
    if (!row) throw new Error("the restored server said nothing of itself");
    checkEnd(row.lsn, options);
    if (password !== undefined) {
      const user = pg.escapeIdentifier(way.backup.superuser);
      await client.query(`alter role ${user} password ${pg.escapeLiteral(password)}`);
    }
    const term = row.hasCore ? await raisedTerm(client) : undefined;
    return { lsn: row.lsn, lastTransactionAt: row.at ?? undefined, timeline: row.timeline, term };
  } finally {
    await client.end();
  }
}

/** By its lineage, so that a core does not find it changed once more; a restore raises the term in any case. */
async function raisedTerm(client: pg.Client): Promise<RaisedTerm | undefined> {
  return (await followLineage(client)) ?? (await raiseTerm(client));
}

/** PostgreSQL takes a damaged record for the log's end. */
function checkEnd(lsn: string, { way, target }: RecoveryOptions): void {
  const { segmentBytes } = way.backup;
  const end = parseLsn(lsn) ?? 0n;
  if (target.kind !== "latest" || end > BigInt(way.newest) * BigInt(segmentBytes)) return;
  throw new Error(
    `the log could be read up to ${lsn} only, though the archive has later segments: the one there is ` +
      `damaged. --to-lsn ${lsn} restores what is before`,
  );
}

function give(path: string, content: string, runAs: RunAs): void {
  writeFileSync(path, content, { mode: 0o600 });
  own(path, runAs);
}

function own(path: string, { uid, gid }: RunAs): void {
  if (uid !== undefined && gid !== undefined) chownSync(path, uid, gid);
}
