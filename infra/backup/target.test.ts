import assert from "node:assert/strict";
import { test } from "node:test";
import type { Manifest } from "./manifest.ts";
import { findWay, type Given, missingUntilStop, type Target } from "./target.ts";

const SEGMENT_BYTES = 16 * 1024 * 1024;

/** A backup that begins in segment `start` and ends at the next one's beginning, in minute `start`. */
function backup(start: number, timeline = 1): Manifest {
  const hex = (value: number) => value.toString(16).toUpperCase();
  return {
    version: 1,
    name: `at-${start}`,
    label: "",
    startedAt: time(start - 1),
    endedAt: time(start),
    startLsn: `0/${hex(start)}000028`,
    stopLsn: `0/${hex(start + 1)}000000`,
    timeline,
    startSegment: `0000000${timeline}00000000000000${hex(start).padStart(2, "0")}`,
    segmentBytes: SEGMENT_BYTES,
    systemIdentifier: "1",
    postgresMajor: 18,
    postgresVersion: "18.4",
    database: "meridian",
    superuser: "postgres",
    schemaVersion: 16,
    coreTerm: 1,
    uid: 0,
    gid: 0,
    folders: [],
    files: [],
  };
}

function time(minute: number): string {
  return new Date(Date.UTC(2026, 0, 31, 12, minute)).toISOString();
}

function segments(timeline: number, first: number, last: number) {
  return Array.from({ length: last - first + 1 }, (_, index) => ({
    timeline,
    number: first + index,
  }));
}

/** One life: backups at 2, 5 and 8, the log from 1 to 10. */
const one: Given = {
  target: { kind: "latest" },
  backups: [backup(2), backup(5), backup(8)],
  archive: { segments: segments(1, 1, 10), timelines: [] },
  forksOf: () => [],
};
const at = (minute: number): Target => ({ kind: "time", at: new Date(time(minute)) });
const place = (segment: bigint): Target => ({ kind: "lsn", lsn: segment * BigInt(SEGMENT_BYTES) });

test("the newest backup that ended before the target leads there", () => {
  const names = (target: Target) => findWay({ ...one, target }).backup.name;
  assert.equal(names({ kind: "latest" }), "at-8");
  assert.deepEqual([names(at(8)), names(at(7)), names(at(2))], ["at-8", "at-5", "at-2"]);
  assert.deepEqual([names(place(9n)), names(place(8n))], ["at-8", "at-5"]);
  assert.equal(findWay({ ...one, name: "at-2" }).backup.name, "at-2");
  assert.deepEqual([findWay(one).newest, findWay(one).missing], [10, undefined]);
});

test("what nothing leads to is said in one line", () => {
  assert.throws(() => findWay({ ...one, backups: [] }), /there is no backup/);
  assert.throws(() => findWay({ ...one, target: at(1) }), /no backup leads to .*the oldest ended/);
  const later = { ...one, target: at(6), name: "at-8" };
  assert.throws(() => findWay(later), /the backup at-8 .*does not lead to/);
  assert.throws(() => findWay({ ...one, timeline: 7 }), /knows no timeline 7/);
});

test("a gap in the log is found, and what a backup itself needs", () => {
  const gap = { segments: [...segments(1, 1, 8), ...segments(1, 10, 10)], timelines: [] };
  assert.equal(findWay({ ...one, archive: gap }).missing, "000000010000000000000009");
  const none = { segments: segments(1, 1, 4), timelines: [] };
  assert.deepEqual(missingUntilStop(backup(5), none), ["000000010000000000000005"]);
  assert.deepEqual(missingUntilStop(backup(4), none), []);
});

test("a later life goes on from the fork: backups of the former one beyond it lead nowhere", () => {
  // The second life left the first in the middle of segment 6 and has copied what was in it.
  const lsn = 6n * BigInt(SEGMENT_BYTES) + 100n;
  const two: Given = {
    ...one,
    archive: { segments: [...segments(1, 1, 10), ...segments(2, 6, 12)], timelines: [2] },
    forksOf: (timeline) => (timeline === 2 ? [{ timeline: 1, lsn }] : []),
  };
  const way = findWay(two);
  assert.deepEqual([way.backup.name, way.timeline, way.newest], ["at-5", 2, 12]);
  assert.equal(way.missing, undefined);
  assert.equal(findWay({ ...two, timeline: 1 }).backup.name, "at-8", "the former life's own end");
  const own = { ...two, backups: [...two.backups, backup(9, 2)] };
  assert.equal(findWay(own).backup.timeline, 2);
  const lacking = { segments: [...segments(1, 1, 5), ...segments(2, 7, 12)], timelines: [2] };
  assert.equal(findWay({ ...two, archive: lacking }).missing, "000000020000000000000006");
});
