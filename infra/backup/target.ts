/**
 * Where a restore is to lead, and by which base backup it gets there. Pure.
 *
 * A restored server goes on in a timeline of its own. A backup leads to a target when it lies on the target's
 * timeline, or on one that this comes from and before the fork, and ended before the target.
 */
import type { ArchiveContent } from "./archive.ts";
import type { Manifest } from "./manifest.ts";
import {
  type Fork,
  lsnText,
  nameOfSegment,
  parseLsn,
  segmentNumberOf,
  segmentOfName,
} from "./wal-names.ts";

export type Target =
  /** To the archive's end. */
  | { readonly kind: "latest" }
  /** After the last transaction that was committed by then. */
  | { readonly kind: "time"; readonly at: Date }
  /** After the record that ends there. */
  | { readonly kind: "lsn"; readonly lsn: bigint };

export interface Way {
  readonly backup: Manifest;
  readonly timeline: number;
  /** The newest segment of the archive on this way. */
  readonly newest: number;
  /** A segment that is not there though later ones are. */
  readonly missing: string | undefined;
}

export interface Given {
  readonly target: Target;
  readonly backups: readonly Manifest[];
  readonly archive: ArchiveContent;
  /** Of a timeline, from its history. */
  readonly forksOf: (timeline: number) => readonly Fork[];
  /** The newest by default. */
  readonly timeline?: number | undefined;
  /** By default the newest that leads there. */
  readonly name?: string | undefined;
}

/** @throws one clear line when nothing leads there */
export function findWay(given: Given): Way {
  const { target, backups, archive, forksOf, name } = given;
  const oldest = backups[0];
  if (!oldest) throw new Error("there is no backup in this folder");
  const known = [...archive.timelines, ...backups.map((backup) => backup.timeline), 1];
  const timeline = given.timeline ?? Math.max(...known);
  if (!known.includes(timeline)) throw new Error(`the archive knows no timeline ${timeline}`);
  const path: readonly Fork[] = [...forksOf(timeline), { timeline, lsn: endOf(target) }];
  const fits = (backup: Manifest) => {
    const until = path.find((one) => one.timeline === backup.timeline)?.lsn;
    return until !== undefined && stopOf(backup) <= until && endedBefore(backup, target);
  };
  const backup = backups.findLast((one) => fits(one) && (name === undefined || one.name === name));
  if (!backup) throw new Error(whyNone(given, oldest, timeline));
  return { backup, timeline, ...lookAtLog(backup, path, archive) };
}

export function targetText(target: Target): string {
  if (target.kind === "latest") return "the archive's end";
  return target.kind === "time" ? target.at.toISOString() : lsnText(target.lsn);
}

/** Segments that the archive lacks of those that the backup itself needs. */
export function missingUntilStop(backup: Manifest, archive: ArchiveContent): string[] {
  const { segmentBytes, startSegment, timeline } = backup;
  const first = segmentOfName(startSegment, segmentBytes)?.number ?? 0;
  // The byte before: a place at a segment's beginning needs nothing of that segment.
  const last = segmentNumberOf(stopOf(backup) - 1n, segmentBytes);
  const names = new Set(archive.segments.map((one) => nameOfSegment(one, segmentBytes)));
  const needed = Array.from({ length: last - first + 1 }, (_, index) =>
    nameOfSegment({ timeline, number: first + index }, segmentBytes),
  );
  return needed.filter((name) => !names.has(name));
}

/** A log that never ends. */
const NEVER = 2n ** 64n;

function endOf(target: Target): bigint {
  return target.kind === "lsn" ? target.lsn : NEVER;
}

function stopOf({ stopLsn }: Manifest): bigint {
  return parseLsn(stopLsn) ?? NEVER;
}

function endedBefore(backup: Manifest, target: Target): boolean {
  return target.kind !== "time" || Date.parse(backup.endedAt) <= target.at.getTime();
}

function whyNone({ target, name }: Given, oldest: Manifest, timeline: number): string {
  const subject = name === undefined ? "no backup" : `the backup ${name} does not exist, or`;
  const first = `the oldest ended at ${oldest.endedAt} (${oldest.stopLsn}, timeline ${oldest.timeline})`;
  const verb = name === undefined ? "leads" : "does not lead";
  return `${subject} ${verb} to ${targetText(target)} on timeline ${timeline}: ${first}`;
}

function lookAtLog(
  backup: Manifest,
  path: readonly Fork[],
  archive: ArchiveContent,
): Pick<Way, "newest" | "missing"> {
  const { segmentBytes, startSegment } = backup;
  const names = new Set(archive.segments.map((one) => nameOfSegment(one, segmentBytes)));
  let number = segmentOfName(startSegment, segmentBytes)?.number ?? 0;
  let missing: string | undefined;
  let newest = number - 1;
  for (const { timeline, lsn } of path.slice(
    path.findIndex((one) => one.timeline === backup.timeline),
  )) {
    const isLast = timeline === path.at(-1)?.timeline;
    const own = archive.segments.filter((one) => one.timeline === timeline);
    const most = Math.max(number - 1, ...own.map((one) => one.number));
    // The segment in which it was left is the next timeline's too, and whole there.
    const last = isLast ? most : segmentNumberOf(lsn, segmentBytes) - 1;
    for (; number <= last; number += 1) {
      const wanted = nameOfSegment({ timeline, number }, segmentBytes);
      if (names.has(wanted)) newest = number;
      else missing ??= wanted;
    }
  }
  return { newest, missing };
}
