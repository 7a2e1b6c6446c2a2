import assert from "node:assert/strict";
import { test } from "node:test";
import { type ArchiveReport, archiveState } from "./archive-watch.ts";

const NOW_MS = Date.UTC(2026, 0, 31, 12);
const ago = (minutes: number) => new Date(NOW_MS - minutes * 60_000);
const well: ArchiveReport = {
  archives: true,
  failedAt: ago(60),
  failedWal: "000000010000000000000001",
  archivedAt: ago(10),
  waiting: 0,
};

test("an archive is well, failing, late, or there is none", () => {
  const stateOf = (change: Partial<ArchiveReport>) => archiveState({ ...well, ...change }, NOW_MS);
  assert.equal(stateOf({}), "well", "nothing was written for ten minutes, so nothing waits");
  assert.equal(stateOf({ archivedAt: null, failedAt: null, waiting: null }), "well", "at first");
  assert.equal(stateOf({ failedAt: ago(1) }), "failing");
  assert.equal(stateOf({ archivedAt: null }), "failing", "not even the first");
  assert.equal(stateOf({ waiting: 2 }), "late", "it hangs");
  assert.equal(stateOf({ waiting: 2, archivedAt: ago(1) }), "well");
  assert.equal(stateOf({ archives: false, failedAt: ago(1), waiting: 9 }), "off");
});
