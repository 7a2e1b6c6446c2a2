/**
 * Restores a cluster from a base backup and the archive, into a folder that holds nothing: checks every file
 * against the manifest as it is copied, lets a server replay the log up to the target, raises the core's term, and
 * gives the folder its name last. One that was called off or failed leaves nothing there.
 */
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import type { Clock } from "../../shared/clock.ts";
import { findBinaries, type RunAs, unprivilegedUser } from "../postgres/binaries.ts";
import { stopLeftoverPostgres } from "../postgres/leftover.ts";
import { historyFile, readArchive } from "./archive.ts";
import { copyFile, eachOf, sync } from "./copy-file.ts";
import { lockFolder } from "./folder-lock.ts";
import { backupFiles, backupFolder } from "./layout.ts";
import { type Manifest, readBackups, totalBytes } from "./manifest.ts";
import { type Recovered, recover } from "./recovery.ts";
import { findWay, type Target, type Way } from "./target.ts";
import { type Fork, parseHistory, segmentOfName } from "./wal-names.ts";

export interface RestoreOptions {
  /** The folder of backups. */
  readonly from: string;
  readonly target: Target;
  /** The cluster's new folder: not there, or empty. */
  readonly data: string;
  /** The `pg_wal` of the lost server, if that is left: it has what was not archived yet. */
  readonly wal?: string | undefined;
  /** By default the newest that leads to the target. */
  readonly backup?: string | undefined;
  /** The newest by default. */
  readonly timeline?: number | undefined;
  /** Holds `postgres`, of the backup's major version; our own by default. */
  readonly bin?: string | undefined;
  /** Whose the data will be, when this process is root; `nobody`, or whose the backed-up data was. */
  readonly owner?: RunAs | undefined;
  /** To become the superuser's. */
  readonly password?: string | undefined;
  readonly clock: Clock;
  readonly say: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

export interface Restored extends Recovered {
  readonly backup: Manifest;
  readonly tookMs: number;
}

const FILES_AT_ONCE = 8;
const PROGRESS_MS = 2_000;
const MIB = 1024 * 1024;

/** @throws one clear line; nothing is left then */
export async function restore(options: RestoreOptions): Promise<Restored> {
  const { clock, signal } = options;
  const beganMs = clock.monotonicMs();
  const data = resolve(options.data);
  if (existsSync(data) && readdirSync(data).length > 0) {
    throw new Error(`${data} is not empty: a restore never writes over data`);
  }
  signal?.throwIfAborted();
  const way = wayTo(options);
  const half = `${data}.restoring`;
  const release = lockFolder(`${half}.lock`);
  try {
    await clearHalf(half);
    const runAs = options.owner ?? ownerOf(way.backup);
    const inHalf = join(half, "data");
    mkdirSync(inHalf, { recursive: true, mode: 0o700 });
    await copyBack(way.backup, inHalf, runAs, options);
    await addLog(way, join(inHalf, "pg_wal"), runAs, options);
    const recovered = await recover({
      ...{ data: inHalf, way, runAs, program: programFor(way.backup, runAs, options) },
      ...{ target: options.target, from: options.from, password: options.password },
      ...{ clock, signal, say: options.say },
    });
    renameSync(inHalf, data);
    await sync(dirname(data));
    return { ...recovered, backup: way.backup, tookMs: clock.monotonicMs() - beganMs };
  } finally {
    await clearHalf(half);
    release();
  }
}

/** @throws one clear line when nothing leads there */
function wayTo({ from, target, timeline, backup: name }: RestoreOptions): Way {
  const { wal } = backupFolder(resolve(from));
  const backups = readBackups(from);
  const newest = backups.at(-1);
  if (!newest) throw new Error(`there is no backup in ${from}`);
  const strangers = backups.find((one) => one.systemIdentifier !== newest.systemIdentifier);
  if (strangers) throw new Error(`${from} holds backups of two servers; a folder is for one`);
  const archive = readArchive(wal, newest.segmentBytes);
  const forksOf = (of: number) => (of === 1 ? [] : readForks(wal, of));
  const way = findWay({ target, backups, archive, forksOf, timeline, name });
  if (way.missing !== undefined && target.kind === "latest") {
    throw new Error(
      `the archive lacks ${way.missing}, though it has later segments: restore to a time before with --to-time`,
    );
  }
  return way;
}

function readForks(wal: string, timeline: number): Fork[] {
  const path = historyFile(wal, timeline);
  let content: Buffer;
  try {
    content = readFileSync(path);
  } catch (cause) {
    throw new Error(`the archive has no history of timeline ${timeline}`, { cause });
  }
  return parseHistory((path.endsWith(".gz") ? gunzipSync(content) : content).toString());
}

async function copyBack(
  backup: Manifest,
  to: string,
  owner: RunAs,
  { from, clock, say, signal }: RestoreOptions,
): Promise<void> {
  const { data } = backupFiles(backupFolder(resolve(from)).backup(backup.name));
  const { files, folders } = backup;
  say(
    `copying ${backup.name}: ${files.length} files, ${(totalBytes(backup) / MIB).toFixed(1)} MiB`,
  );
  for (const folder of ["", ...folders]) {
    const path = join(to, folder);
    if (folder !== "") mkdirSync(path, { mode: 0o700 });
    if (owner.uid !== undefined && owner.gid !== undefined) chownSync(path, owner.uid, owner.gid);
  }
  let copied = 0;
  let saidMs = clock.monotonicMs();
  await eachOf(files, FILES_AT_ONCE, async ({ path, bytes, sha256 }) => {
    signal?.throwIfAborted();
    // PostgreSQL itself syncs all of the data before it recovers.
    const sum = await copyFile(join(data, path), join(to, path), owner);
    if (sum?.bytes !== bytes || sum.sha256 !== sha256) {
      throw new Error(`the backup ${backup.name} is damaged: ${path} is not what was backed up`);
    }
    copied += 1;
    if (clock.monotonicMs() - saidMs < PROGRESS_MS) return;
    saidMs = clock.monotonicMs();
    say(`${copied} of ${files.length} files copied`);
  });
}

/** PostgreSQL looks in its own folder for what the archive has not. */
async function addLog(
  { backup, timeline, newest }: Way,
  to: string,
  owner: RunAs,
  { wal, say }: RestoreOptions,
): Promise<void> {
  if (wal === undefined) return;
  const later = readdirSync(wal).filter((name) => {
    const segment = segmentOfName(name, backup.segmentBytes);
    return segment?.timeline === timeline && segment.number > newest;
  });
  for (const name of later) await copyFile(join(wal, name), join(to, name), owner);
  say(`the lost server's own log: ${later.length} segments that were not archived`);
}

function ownerOf({ uid, gid }: Manifest): RunAs {
  if (process.getuid?.() !== 0) return {};
  return uid === 0 ? unprivilegedUser("") : { uid, gid };
}

function programFor(backup: Manifest, runAs: RunAs, { bin }: RestoreOptions): string {
  if (bin !== undefined) return join(bin, "postgres");
  const { nativeDir, major } = findBinaries(runAs);
  if (major === backup.postgresMajor) return join(nativeDir, "bin/postgres");
  const is = `the backup is of PostgreSQL ${backup.postgresMajor}, ours is ${major}`;
  throw new Error(`${is}: name the folder of its programs with --bin`);
}

/** What a restore left that was killed, its server included. */
async function clearHalf(half: string): Promise<void> {
  if (!existsSync(half)) return;
  await stopLeftoverPostgres(half);
  rmSync(half, { recursive: true, force: true });
}
