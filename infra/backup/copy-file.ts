/** Copies files of a cluster, and says what was read: for the manifest, or to be held against it. */
import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import type { RunAs } from "../postgres/binaries.ts";
import { hasCode } from "../process/pid.ts";

const CHUNK_BYTES = 1024 * 1024;
const FILE_MODE = 0o600;

export interface FileSum {
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * The copy may not be on the disk yet: see `sync`.
 * @param owner of the copy
 * @returns undefined when there is no such file (any more)
 */
export async function copyFile(
  from: string,
  to: string,
  owner: RunAs = {},
): Promise<FileSum | undefined> {
  const source = await openExisting(from);
  if (!source) return undefined;
  try {
    const target = await open(to, "wx", FILE_MODE);
    try {
      const sum = await readThrough(source, async (chunk) => {
        await target.writeFile(chunk);
      });
      if (owner.uid !== undefined && owner.gid !== undefined) {
        await target.chown(owner.uid, owner.gid);
      }
      return sum;
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
}

/** @returns undefined when there is no such file */
export async function sumOfFile(path: string): Promise<FileSum | undefined> {
  const source = await openExisting(path);
  if (!source) return undefined;
  try {
    return await readThrough(source, async () => {});
  } finally {
    await source.close();
  }
}

/**
 * Puts a file on the disk; of a folder, what was made, renamed or deleted in it. For many files it is called once
 * all are written: the file system then writes most of them with the first.
 */
export async function sync(path: string): Promise<void> {
  const file = await open(path, "r");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Runs the tasks of a list, so many at a time, in order. @throws the first failure, once none runs any more */
export async function eachOf<T>(
  items: readonly T[],
  atOnce: number,
  task: (item: T) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  const rest = items.values();
  const worker = async () => {
    for (const item of rest) {
      if (failures.length > 0) return;
      try {
        await task(item);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  if (failures.length > 0) throw failures[0];
}

async function openExisting(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "r");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

async function readThrough(
  source: FileHandle,
  take: (chunk: Buffer) => Promise<void>,
): Promise<FileSum> {
  const hash = createHash("sha256");
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  let bytes = 0;
  for (;;) {
    const { bytesRead } = await source.read(buffer, 0, CHUNK_BYTES, null);
    if (bytesRead === 0) return { bytes, sha256: hash.digest("hex") };
    const chunk = buffer.subarray(0, bytesRead);
    hash.update(chunk);
    await take(chunk);
    bytes += bytesRead;
  }
}
