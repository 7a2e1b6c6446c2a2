import assert from "node:assert/strict";
import { test } from "node:test";
import {
  lsnText,
  nameOfSegment,
  parseHistory,
  parseLsn,
  segmentNumberOf,
  segmentOfName,
  timelineOfHistory,
} from "./wal-names.ts";

const MIB = 1024 * 1024;

test("a segment's name is its timeline and its place, whatever the size of segments is", () => {
  const name = "0000000A00000002000000FF";
  assert.deepEqual(segmentOfName(name, 16 * MIB), { timeline: 10, number: 2 * 256 + 255 });
  assert.deepEqual(segmentOfName("0000000A0000000200000003", 1024 * MIB), {
    timeline: 10,
    number: 2 * 4 + 3,
  });
  assert.equal(nameOfSegment({ timeline: 10, number: 2 * 256 + 255 }, 16 * MIB), name);
  for (const other of ["00000002.history", `${name}.partial`, "archive-wal.sh", name.slice(1)]) {
    assert.equal(segmentOfName(other, 16 * MIB), undefined, other);
  }
});

test("places are read and written as PostgreSQL does", () => {
  const lsn = parseLsn("2/FF000028");
  assert.equal(lsn, 2n * 2n ** 32n + 0xff000028n);
  assert.equal(lsnText(lsn ?? 0n), "2/FF000028");
  assert.equal(segmentNumberOf(lsn ?? 0n, 16 * MIB), 2 * 256 + 255);
  for (const wrong of ["", "1", "x/1", "1/123456789"]) assert.equal(parseLsn(wrong), undefined);
});

test("a history names the timelines before, and where each was left", () => {
  const text = "1\t0/3000000\tno recovery target specified\n\n2\t0/5000158\tbefore 2026-01-31\n";
  assert.deepEqual(parseHistory(text), [
    { timeline: 1, lsn: 0x3000000n },
    { timeline: 2, lsn: 0x5000158n },
  ]);
  assert.equal(timelineOfHistory("0000000B.history"), 11);
  assert.equal(timelineOfHistory("0000000B"), undefined);
});
