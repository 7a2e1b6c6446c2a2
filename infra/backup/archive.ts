/**
 * The archive of the write-ahead log, and the server's settings for it. `archive-wal.sh` does the work; it is
 * copied into the archive, because the server's user may reach no other file of ours.
 *
 * The archive may lie where that user can't walk to, as the local world's data may: whoever starts the server
 * as root opens the folder for it, and it is called by its descriptor then (Linux), which its commands inherit.
 */
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import type { RunAs } from "../postgres/binaries.ts";
import { makeCluster } from "../postgres/embedded.ts";
import { hasCode } from "../process/pid.ts";
import { FIRST_FOLDER_DESCRIPTOR } from "../process/server-process.ts";
import { backupFolder } from "./layout.ts";
import { historyName, type Segment, segmentOfName, timelineOfHistory } from "./wal-names.ts";

const ARCHIVE_PROGRAM = "archive-wal.sh";
const SOURCE = join(import.meta.dirname, ARCHIVE_PROGRAM);
/** A segment that nobody fills is archived after so long: no more than that is lost with the server. */
const ARCHIVE_TIMEOUT_S = 60;

export interface ServerArchive {
  /** As `PostgresOptions.settings`. */
  readonly settings: Readonly<Record<string, string>>;
  /** As `PostgresOptions.folders`. */
  readonly folders: readonly string[];
}

/**
 * Makes the archive in the backups' folder, for a server of this user.
 * @returns the archive's folder
 */
export function makeArchive(dir: string, runAs: RunAs): string {
  const { wal } = backupFolder(resolve(dir));
  mkdirSync(wal, { recursive: true, mode: 0o700 });
  copyProgram(wal);
  const { uid, gid } = runAs;
  if (uid !== undefined && gid !== undefined && statSync(wal).uid !== uid) {
    // What another user's server archived before must be readable for this one, which compares.
    for (const name of readdirSync(wal)) chownSync(join(wal, name), uid, gid);
    chownSync(wal, uid, gid);
  }
  return wal;
}

/**
 * For a server that is started by this process on `dataDir`, as of `startPostgres`; the cluster is made if need be.
 * @throws one clear line when the archive is another cluster's
 */
export function archivingServer(dir: string, dataDir: string): ServerArchive {
  const { runAs } = makeCluster(dataDir);
  const wal = makeArchive(dir, runAs);
  claimArchive(wal, systemIdentifierOf(join(dataDir, "data")), runAs);
  return { settings: archiveSettings(nameForServer(wal, runAs)), folders: [wal] };
}

/** Segments of two clusters have the same names: the second one's could not be archived. */
function claimArchive(wal: string, identifier: string, runAs: RunAs): void {
  const path = join(wal, "cluster");
  try {
    writeFileSync(path, `${identifier}\n`, { mode: 0o600, flag: "wx" });
    if (runAs.uid !== undefined && runAs.gid !== undefined) {
      chownSync(path, runAs.uid, runAs.gid);
    }
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
    const other = readFileSync(path, "utf8").trim();
    if (other === identifier) return;
    throw new Error(`${wal} is the archive of another database (${other}): choose another folder`);
  }
}

/** As PostgreSQL calls it: it tells clusters apart, and is the same in copies of one. */
export function systemIdentifierOf(data: string): string {
  return readFileSync(join(data, "global/pg_control")).readBigUInt64LE(0).toString();
}

/** @param wal how the server may call the archive's folder */
export function archiveSettings(wal: string): Record<string, string> {
  return {
    archive_mode: "on",
    archive_timeout: `${ARCHIVE_TIMEOUT_S}s`,
    archive_command: `sh ${quoted(join(wal, ARCHIVE_PROGRAM))} put ${quoted(wal)} %p %f gzip`,
  };
}

/**
 * For a server that is started by this process to recover. The archive is only read.
 * @param scratch a folder that the server's user can walk to; the program is copied there
 */
export function recoveringServer(dir: string, scratch: string, runAs: RunAs): ServerArchive {
  const { wal } = backupFolder(resolve(dir));
  const program = copyProgram(scratch);
  const command = `sh ${quoted(program)} get ${quoted(nameForServer(wal, runAs))} %f %p`;
  return { settings: { restore_command: command }, folders: [wal] };
}

/** What is in the archive, with or without `.gz`. */
export interface ArchiveContent {
  readonly segments: readonly Segment[];
  /** Timelines that have a history; the first has none. */
  readonly timelines: readonly number[];
}

export function readArchive(wal: string, segmentBytes: number): ArchiveContent {
  const names = readdirSync(wal).map((name) => name.replace(/\.gz$/, ""));
  return {
    segments: names.flatMap((name) => segmentOfName(name, segmentBytes) ?? []),
    timelines: names.flatMap((name) => timelineOfHistory(name) ?? []),
  };
}

/** The path of a timeline's history as it is archived. */
export function historyFile(wal: string, timeline: number): string {
  const plain = join(wal, historyName(timeline));
  return statSync(plain, { throwIfNoEntry: false }) ? plain : `${plain}.gz`;
}

function copyProgram(folder: string): string {
  const program = join(folder, ARCHIVE_PROGRAM);
  const next = `${program}.${process.pid}`;
  writeFileSync(next, readFileSync(SOURCE), { mode: 0o755 });
  // The umask may have taken away what the server's user needs.
  chmodSync(next, 0o755);
  renameSync(next, program);
  return program;
}

function nameForServer(wal: string, { uid }: RunAs): string {
  const cantWalk = process.platform === "linux" && uid !== undefined;
  return cantWalk ? `/proc/self/fd/${FIRST_FOLDER_DESCRIPTOR}` : wal;
}

/** One word of a shell's line in which PostgreSQL replaces what begins with `%`. */
function quoted(path: string): string {
  return `'${path.replaceAll("'", "'\\''").replaceAll("%", "%%")}'`;
}
