/** What a base backup is and holds: `manifest.json`, by which it is verified and restored. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { backupFiles, backupFolder } from "./layout.ts";
import { parseLsn } from "./wal-names.ts";

const MANIFEST_VERSION = 1;

const Lsn = z.string().refine((text) => parseLsn(text) !== undefined, "is no place in the log");

const BackedUpFile = z.object({
  /** Below `data`, with `/`. */
  path: z.string().min(1),
  bytes: z.number().int().nonnegative(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type BackedUpFile = z.infer<typeof BackedUpFile>;

export const Manifest = z.object({
  version: z.literal(MANIFEST_VERSION),
  /** The name of its folder. */
  name: z.string().min(1),
  label: z.string(),
  startedAt: z.iso.datetime(),
  /** From this moment on the backup can be restored to. */
  endedAt: z.iso.datetime(),
  startLsn: Lsn,
  stopLsn: Lsn,
  timeline: z.number().int().positive(),
  /** The oldest segment of the log that the backup needs. */
  startSegment: z.string().regex(/^[0-9A-F]{24}$/),
  segmentBytes: z.number().int().positive(),
  /** Tells clusters apart, as PostgreSQL does. */
  systemIdentifier: z.string(),
  /** Such as 18. */
  postgresMajor: z.number().int().positive(),
  postgresVersion: z.string(),
  database: z.string(),
  /** The name of the user that made the cluster. */
  superuser: z.string(),
  /** The newest migration; null for a database that no core has used. */
  schemaVersion: z.number().int().nullable(),
  coreTerm: z.number().int().nullable(),
  /** Whose the data was. */
  uid: z.number().int(),
  gid: z.number().int(),
  /** Folders below `data`, parents first. */
  folders: z.array(z.string().min(1)),
  files: z.array(BackedUpFile),
});
export type Manifest = z.infer<typeof Manifest>;

export function newManifest(given: Omit<Manifest, "version">): Manifest {
  return { version: MANIFEST_VERSION, ...given };
}

/** All whole backups of this folder, the oldest first. @throws one clear line when a manifest is damaged */
export function readBackups(dir: string): Manifest[] {
  const { base, backup } = backupFolder(dir);
  if (!statSync(base, { throwIfNoEntry: false })) return [];
  const names = readdirSync(base).filter((name) => !name.startsWith("."));
  return names
    .map((name) => readManifest(backup(name)))
    .sort((a, b) => Date.parse(a.endedAt) - Date.parse(b.endedAt));
}

/** @throws one clear line when there is none, or it is damaged */
export function readManifest(folder: string): Manifest {
  const path = backupFiles(folder).manifest;
  let found: Manifest;
  try {
    found = Manifest.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (cause) {
    throw new Error(`${path} is no manifest of a backup, or is damaged`, { cause });
  }
  // A path that leads out of the data would be written to at a restore.
  const paths = [...found.folders, ...found.files.map((file) => file.path)];
  const outside = paths.find((one) => join("/", one) !== `/${one}`);
  if (outside !== undefined)
    throw new Error(`${path} names a path outside of the data: ${outside}`);
  return found;
}

export function totalBytes({ files }: Manifest): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}
