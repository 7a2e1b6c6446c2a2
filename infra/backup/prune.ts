/** Deletes old base backups, and of the archive what none of those that are left needs. */
import { readdirSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { sync } from "./copy-file.ts";
import { lockFolder } from "./folder-lock.ts";
import { backupFolder } from "./layout.ts";
import { readBackups } from "./manifest.ts";
import { segmentOfName } from "./wal-names.ts";

export interface Pruned {
  readonly backups: readonly string[];
  /** Files of the archive. */
  readonly segments: number;
}

/**
 * @param keep how many backups stay, the newest; 1 at least
 * @throws one clear line, also while another process works on these backups
 */
export async function prune(dir: string, keep: number): Promise<Pruned> {
  const { base, wal, backup, lock } = backupFolder(resolve(dir));
  const release = lockFolder(lock);
  try {
    const all = readBackups(dir);
    const old = all.slice(0, Math.max(0, all.length - keep));
    for (const { name } of old) {
      // At once, so that nobody begins with one that is half gone.
      const half = join(base, `.half-${name}`);
      await rename(backup(name), half);
      await rm(half, { recursive: true });
    }
    if (old.length > 0) await sync(base);
    const starts = all.slice(old.length).flatMap(({ startSegment, segmentBytes }) => {
      const start = segmentOfName(startSegment, segmentBytes);
      return start ? [{ number: start.number, segmentBytes }] : [];
    });
    const first = starts.sort((a, b) => a.number - b.number)[0];
    if (!first) return { backups: [], segments: 0 };
    let segments = 0;
    for (const file of readdirSync(wal)) {
      // Also `.backup` and `.partial` files of a segment. Histories of timelines stay: they are small, and needed.
      const segment = segmentOfName(file.split(".")[0] ?? "", first.segmentBytes);
      // A timeline goes on counting where it left the one before, so the number alone tells what is older.
      if (!segment || segment.number >= first.number) continue;
      await rm(join(wal, file));
      segments += 1;
    }
    return { backups: old.map(({ name }) => name), segments };
  } finally {
    release();
  }
}
