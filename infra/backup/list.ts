/** `npm run backup -- list`: what there is to restore from. */
import { readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { readArchive } from "./archive.ts";
import { backupFolder } from "./layout.ts";
import { readBackups, totalBytes } from "./manifest.ts";
import { nameOfSegment } from "./wal-names.ts";

const MIB = 1024 * 1024;
const MINUTE_MS = 60_000;

export interface Listed {
  readonly text: string;
  /** Of the newest backup; infinite without one. */
  readonly ageMs: number;
}

export function listText(dir: string, nowMs: number): Listed {
  const backups = readBackups(dir);
  const newest = backups.at(-1);
  if (!newest) return { text: `${dir} has no backup`, ageMs: Number.POSITIVE_INFINITY };
  const rows = backups.map((one) => [
    one.name,
    one.endedAt,
    `${(totalBytes(one) / MIB).toFixed(1)} MiB`,
    String(one.timeline),
    one.stopLsn,
    String(one.schemaVersion ?? "-"),
    String(one.coreTerm ?? "-"),
    one.label,
  ]);
  const head = ["NAME", "ENDED", "SIZE", "TIMELINE", "LSN", "SCHEMA", "TERM", "LABEL"];
  const ageMs = nowMs - Date.parse(newest.endedAt);
  return {
    text: [...table([head, ...rows]), "", archiveText(dir, newest.segmentBytes, nowMs)].join("\n"),
    ageMs,
  };
}

function archiveText(dir: string, segmentBytes: number, nowMs: number): string {
  const { wal } = backupFolder(resolve(dir));
  const { segments } = readArchive(wal, segmentBytes);
  const names = segments.map((one) => nameOfSegment(one, segmentBytes)).sort();
  const newest = names.at(-1);
  if (newest === undefined) return "the archive is empty";
  const times = readdirSync(wal)
    .filter((file) => file.startsWith(newest))
    .map((file) => statSync(join(wal, file)).mtimeMs);
  const minutes = Math.round((nowMs - Math.max(...times)) / MINUTE_MS);
  return `archive: ${segments.length} segments, the newest ${newest}, ${minutes} min ago`;
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]?.map((_, at) => Math.max(...rows.map((row) => row[at]?.length ?? 0)));
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths?.[at] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
