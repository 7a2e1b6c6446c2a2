/**
 * A base backup of a running server on this machine, by PostgreSQL's low-level interface: `pg_backup_start`,
 * copy, `pg_backup_stop`, on one connection that lives through all of it. Files change while they are copied,
 * and that does no harm: a restore begins at the checkpoint before the copy, and the log since then makes them
 * whole again. `pg_backup_stop` waits until the archive has all of that.
 *
 * The backup grows under a name that begins with a dot and is renamed once all is on the disk, so one that was
 * called off or killed leaves nothing that looks like one; the next removes what it left.
 */
import { mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type pg from "pg";
import type { Clock } from "../../shared/clock.ts";
import { readArchive } from "./archive.ts";
import { type ClusterFiles, CONTROL_FILE, listCluster } from "./cluster-files.ts";
import { copyFile, eachOf, sumOfFile, sync } from "./copy-file.ts";
import { lockFolder } from "./folder-lock.ts";
import { backupFiles, backupFolder } from "./layout.ts";
import { type BackedUpFile, type Manifest, newManifest, totalBytes } from "./manifest.ts";
import { connect, readSource, type Source } from "./source.ts";
import { missingUntilStop } from "./target.ts";

export interface BackupOptions {
  /** Of the server; a superuser's, or of one who may call `pg_backup_start` and read all settings. */
  readonly url: string;
  /** The folder of backups, to which the server also archives its log. */
  readonly dir: string;
  /** The cluster's folder, where it can't be found out. */
  readonly data?: string | undefined;
  /** For people. */
  readonly label?: string | undefined;
  readonly clock: Clock;
  /** Told one line for each thing that takes time. */
  readonly say: (line: string) => void;
  /** Calls it off. */
  readonly signal?: AbortSignal | undefined;
}

const FILES_AT_ONCE = 8;
const HALF = ".half-";
const PROGRESS_MS = 2_000;
const MIB = 1024 * 1024;

/** @throws one clear line; nothing of the backup is left then */
export async function takeBackup(options: BackupOptions): Promise<Manifest> {
  const { url, dir, signal } = options;
  signal?.throwIfAborted();
  const { base, lock } = backupFolder(dir);
  const release = lockFolder(lock);
  try {
    await mkdir(base, { recursive: true, mode: 0o700 });
    for (const name of await readdir(base)) {
      if (name.startsWith(HALF)) await rm(join(base, name), { recursive: true });
    }
    const client = await connect(url);
    // Ends the statement that is waited for, and a backup that is under way at the server.
    const hangUp = () => void client.end();
    signal?.addEventListener("abort", hangUp, { once: true });
    try {
      return await copyCluster(client, options);
    } catch (error) {
      throw signal?.aborted ? signal.reason : error;
    } finally {
      signal?.removeEventListener("abort", hangUp);
      await client.end();
    }
  } finally {
    release();
  }
}

async function copyCluster(client: pg.Client, options: BackupOptions): Promise<Manifest> {
  const { dir, clock, say, signal } = options;
  const source = await readSource(client, options.data);
  const startedAt = new Date(clock.nowMs());
  const name = nameOf(startedAt);
  const label = options.label ?? `meridian ${name}`;
  const { base, backup } = backupFolder(dir);
  const half = join(base, `${HALF}${name}`);
  const { data, manifest: manifestFile } = backupFiles(half);
  try {
    await mkdir(data, { recursive: true, mode: 0o700 });
    say("waiting for a checkpoint");
    const { rows } = await client.query<{ lsn: string }>(
      "select pg_backup_start($1, true) as lsn",
      [label],
    );
    const copied = await copyFiles(source, data, options);
    say("waiting for the archive");
    const stopped = await stopBackup(client);
    signal?.throwIfAborted();
    await writeFile(join(data, "backup_label"), stopped.backupLabel, { mode: 0o600 });
    const labelSum = await sumOfFile(join(data, "backup_label"));
    if (!labelSum) throw new Error("the backup's label is gone");
    const start = parseLabel(stopped.backupLabel);
    const { uid, gid } = await stat(source.data);
    const manifest = newManifest({
      ...source.facts,
      ...start,
      ...{ name, label, uid, gid },
      startedAt: startedAt.toISOString(),
      endedAt: stopped.at.toISOString(),
      startLsn: rows[0]?.lsn ?? "",
      stopLsn: stopped.lsn,
      folders: [...copied.folders],
      files: [...copied.files, { path: "backup_label", ...labelSum }],
    });
    checkArchive(dir, manifest);
    await writeFile(manifestFile, JSON.stringify(manifest), { mode: 0o600, flush: true });
    say("writing it to the disk");
    const written = [...manifest.files.map(({ path }) => path), ...copied.folders, "", ".."];
    await eachOf(written, FILES_AT_ONCE, async (path) => {
      signal?.throwIfAborted();
      await sync(join(data, path));
    });
    await rename(half, backup(name));
    await sync(base);
    say(`backup ${name} is whole: ${copied.files.length} files, ${mib(totalBytes(manifest))}`);
    return manifest;
  } catch (error) {
    await rm(half, { recursive: true, force: true });
    throw error;
  }
}

async function copyFiles(
  source: Source,
  data: string,
  { clock, say, signal }: BackupOptions,
): Promise<{ folders: ClusterFiles["folders"]; files: BackedUpFile[] }> {
  const { folders, files } = await listCluster(source.data);
  for (const folder of folders) await mkdir(join(data, folder), { mode: 0o700 });
  const copied: BackedUpFile[] = [];
  let bytes = 0;
  let saidMs = clock.monotonicMs();
  const copy = async (path: string) => {
    signal?.throwIfAborted();
    const to = join(data, path);
    const sum = await copyFile(join(source.data, path), to);
    // Dropped since the list was made, as the log says too.
    if (!sum) return;
    copied.push({ path, ...sum });
    bytes += sum.bytes;
    if (clock.monotonicMs() - saidMs < PROGRESS_MS) return;
    saidMs = clock.monotonicMs();
    say(`${copied.length} of ${files.length} files, ${mib(bytes)}`);
  };
  const all = files.filter((path) => path !== CONTROL_FILE);
  await eachOf(all, FILES_AT_ONCE, copy);
  await copy(CONTROL_FILE);
  return { folders, files: copied };
}

async function stopBackup(client: pg.Client) {
  const stop =
    "select lsn::text, labelfile, spcmapfile, clock_timestamp() as at from pg_backup_stop()";
  type Row = { lsn: string; labelfile: string; spcmapfile: string; at: Date };
  let rows: Row[];
  try {
    ({ rows } = await client.query<Row>(stop));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`the server did not end the backup, does it archive? ${why}`, { cause });
  }
  const [row] = rows;
  if (!row) throw new Error("the server said nothing of the backup's end");
  if (row.spcmapfile.trim() !== "") throw new Error("this cluster has got a tablespace meanwhile");
  return { lsn: row.lsn, backupLabel: row.labelfile, at: row.at };
}

/** The server has archived what the backup needs; whether here is another question. */
function checkArchive(dir: string, manifest: Manifest): void {
  const archive = readArchive(backupFolder(dir).wal, manifest.segmentBytes);
  const [missing] = missingUntilStop(manifest, archive);
  if (missing === undefined) return;
  throw new Error(`this server archives its log elsewhere: ${dir} has no ${missing}`);
}

function parseLabel(text: string): Pick<Manifest, "startSegment" | "timeline"> {
  const startSegment = /^START WAL LOCATION: \S+ \(file ([0-9A-F]{24})\)$/m.exec(text)?.[1];
  const timeline = /^START TIMELINE: (\d+)$/m.exec(text)?.[1];
  if (!startSegment || !timeline) throw new Error("the backup's label is not as it should be");
  return { startSegment, timeline: Number(timeline) };
}

/** `20260131T235959.123Z`: sorts by time, and is a file's name everywhere. */
function nameOf(at: Date): string {
  return at.toISOString().replaceAll(/[-:]/g, "");
}

function mib(bytes: number): string {
  return `${(bytes / MIB).toFixed(1)} MiB`;
}
