/** Holds a backup against its manifest, and the archive against what the backup needs of it. */
import { join, resolve } from "node:path";
import { readArchive } from "./archive.ts";
import { eachOf, sumOfFile } from "./copy-file.ts";
import { backupFiles, backupFolder } from "./layout.ts";
import type { Manifest } from "./manifest.ts";
import { missingUntilStop } from "./target.ts";

const FILES_AT_ONCE = 8;

/** @returns what is wrong with the backup, a line each; empty when it can be restored */
export async function verifyBackup(
  dir: string,
  manifest: Manifest,
  signal?: AbortSignal,
): Promise<string[]> {
  const { wal, backup } = backupFolder(resolve(dir));
  const { data } = backupFiles(backup(manifest.name));
  const wrong: string[] = [];
  await eachOf(manifest.files, FILES_AT_ONCE, async ({ path, bytes, sha256 }) => {
    signal?.throwIfAborted();
    const sum = await sumOfFile(join(data, path));
    if (!sum) wrong.push(`${path} is missing`);
    else if (sum.bytes !== bytes) wrong.push(`${path} has ${sum.bytes} bytes instead of ${bytes}`);
    else if (sum.sha256 !== sha256) wrong.push(`${path} has another content`);
  });
  const archive = readArchive(wal, manifest.segmentBytes);
  const lacks = missingUntilStop(manifest, archive);
  return [...wrong.sort(), ...lacks.map((name) => `the archive lacks ${name}, which it needs`)];
}
