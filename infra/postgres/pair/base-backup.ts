/**
 * Copies a running primary's data into a folder that a standby can be started on, as PostgreSQL's "Making a
 * Base Backup Using the Low Level API" describes: the npm binaries have no `pg_basebackup`.
 *
 * The log from the backup's beginning on comes over the standby's slot, which is made before. Files change and
 * vanish while they are copied: replaying the log from there mends that. The folder is the standby's only
 * when its last file is written; a copy that was broken off is thrown away by the next one.
 */
import { chmod, chown, copyFile, mkdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type pg from "pg";
import { listCluster } from "../../backup/cluster-files.ts";
import { hasCode } from "../../process/pid.ts";
import type { RunAs } from "../binaries.ts";
import { writeSettings } from "./settings-file.ts";

export interface BackupOptions {
  /** To the primary, as its superuser; this connection alone may end the backup. */
  readonly primary: pg.Client;
  /** The primary's `data`. */
  readonly from: string;
  /** Replaced. */
  readonly to: string;
  readonly runAs: RunAs;
  /** `primary_conninfo` of the standby. */
  readonly conninfo: string;
  readonly slot: string;
  readonly signal: AbortSignal;
}

interface Stopped {
  readonly labelfile: string;
  readonly spcmapfile: string;
}

/** @throws when the copy can't be made; the folder is then of no use */
export async function copyBase(options: BackupOptions): Promise<void> {
  const { primary, to, runAs, conninfo, slot } = options;
  const half = `${to}.half`;
  await rm(to, { recursive: true, force: true });
  await rm(half, { recursive: true, force: true });
  await makeSlot(primary, slot);
  await primary.query("select pg_backup_start($1, fast => true)", ["meridian standby"]);
  await copyCluster({ ...options, to: half });
  const { rows } = await primary.query<Stopped>(
    "select labelfile, spcmapfile from pg_backup_stop(wait_for_archive => false)",
  );
  const [stopped] = rows;
  if (!stopped) throw new Error("the primary did not say where the backup begins");
  for (const [name, text] of [
    ["backup_label", stopped.labelfile],
    ["tablespace_map", stopped.spcmapfile],
    ["standby.signal", ""],
  ] as const) {
    if (name === "tablespace_map" && text === "") continue;
    await writeFile(join(half, name), text, { mode: 0o600 });
    await own(join(half, name), runAs);
  }
  writeSettings(half, {
    primary_conninfo: conninfo,
    primary_slot_name: slot,
    synchronous_standby_names: undefined,
  });
  await rename(half, to);
}

/** Anew: one that is there keeps the log for a standby that is no more. */
async function makeSlot(primary: pg.Client, slot: string): Promise<void> {
  await primary.query(
    `select pg_terminate_backend(active_pid, 2000) from pg_replication_slots
     where slot_name = $1 and active`,
    [slot],
  );
  await primary.query(
    "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1",
    [slot],
  );
  await primary.query("select pg_create_physical_replication_slot($1, true)", [slot]);
}

type Copy = Pick<BackupOptions, "from" | "to" | "runAs" | "signal">;

async function copyCluster({ from, to, runAs, signal }: Copy): Promise<void> {
  const { folders, files } = await listCluster(from);
  for (const folder of ["", ...folders]) {
    await mkdir(join(to, folder), { mode: 0o700 });
    await own(join(to, folder), runAs);
  }
  for (const path of files) {
    signal.throwIfAborted();
    const target = join(to, path);
    try {
      await copyFile(join(from, path), target);
    } catch (error) {
      // A table that was dropped meanwhile.
      if (hasCode(error, "ENOENT")) continue;
      throw error;
    }
    await chmod(target, 0o600);
    await own(target, runAs);
  }
}

async function own(path: string, { uid, gid }: RunAs): Promise<void> {
  if (uid !== undefined && gid !== undefined) await chown(path, uid, gid);
}
