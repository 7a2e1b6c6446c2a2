/**
 * Bounds a log that a process appends to through a descriptor of its own: past the limit the file is
 * copied aside, over the copy before, and emptied. Lines written between the two are lost; the
 * descriptor stays valid because it appends, so no process needs to know.
 */
import {
  closeSync,
  copyFileSync,
  fstatSync,
  openSync,
  readSync,
  statSync,
  truncateSync,
} from "node:fs";
import { type Cancel, systemClock } from "../../shared/clock.ts";

const LOG_BYTES_MAX = 20 * 1024 * 1024;
const CHECK_MS = 5_000;
const TAIL_BYTES = 8_192;

/** Keeps the file bounded until cancelled. */
export function watchLog(path: string): Cancel {
  return systemClock.every(CHECK_MS, () => truncateLog(path));
}

/** Moves the log's content to `<path>.1` when it is larger than `bytesMax`. */
export function truncateLog(path: string, bytesMax = LOG_BYTES_MAX): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found || found.size <= bytesMax) return;
  copyFileSync(path, `${path}.1`);
  truncateSync(path, 0);
}

/** The last lines of a log, empty ones left out; none when there is no such file. */
export function lastLines(path: string): string[] {
  if (!statSync(path, { throwIfNoEntry: false })) return [];
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    const buffer = Buffer.alloc(Math.min(size, TAIL_BYTES));
    readSync(file, buffer, 0, buffer.length, size - buffer.length);
    const lines = buffer.toString("utf8").split("\n");
    return lines.filter((line) => line.trim() !== "");
  } finally {
    closeSync(file);
  }
}
