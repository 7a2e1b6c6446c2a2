/**
 * Which files of a running cluster belong into a base backup. The rest is what PostgreSQL's documentation
 * (Continuous Archiving, "Backing Up the Data Directory") says to leave out: files of the running server,
 * what it makes anew at its start, and the write-ahead log, which the archive has.
 */
import type { Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { hasCode } from "../process/pid.ts";

export interface ClusterFiles {
  /** Parents first. */
  readonly folders: readonly string[];
  readonly files: readonly string[];
}

/** Copied last: what it says must not be older than the rest. */
export const CONTROL_FILE = "global/pg_control";

/** Their folders belong to the backup, what is in them does not. */
const EMPTIED = new Set([
  "pg_dynshmem",
  "pg_notify",
  "pg_replslot",
  "pg_serial",
  "pg_snapshots",
  "pg_stat_tmp",
  "pg_subtrans",
  "pg_wal",
]);
const LEFT_OUT =
  /^(postmaster\.(pid|opts)|backup_label(\.old)?|tablespace_map(\.old)?|backup_manifest|recovery\.signal|standby\.signal|postgresql\.auto\.conf\.tmp|current_logfiles(\.tmp)?)$/;
/** At any depth. */
const LEFT_OUT_ANYWHERE = /^(pgsql_tmp.*|pg_internal\.init.*)$/;

/** @throws one clear line when the cluster has tablespaces */
export async function listCluster(data: string): Promise<ClusterFiles> {
  const folders: string[] = [];
  const files: string[] = [];
  const walk = async (below: string): Promise<void> => {
    for (const entry of await entriesOf(join(data, below))) {
      const path = below === "" ? entry.name : `${below}/${entry.name}`;
      if (LEFT_OUT_ANYWHERE.test(entry.name) || (below === "" && LEFT_OUT.test(path))) continue;
      if (below === "pg_tblspc") {
        throw new Error("this cluster has tablespaces, which this backup can't copy");
      }
      if (entry.isDirectory() || (entry.isSymbolicLink() && path === "pg_wal")) {
        folders.push(path);
        if (!EMPTIED.has(path)) await walk(path);
      } else if (entry.isFile() && path !== CONTROL_FILE) files.push(path);
    }
  };
  await walk("");
  return { folders, files: [...files, CONTROL_FILE] };
}

/** Of a folder that may be dropped while one looks: a database, for example. */
async function entriesOf(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  }
}
