/** The audit of diaries finds what is planted, in records and in a real database, and nothing else. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import {
  beijing1,
  granted,
  release,
  shanghai1,
  startTestStates,
} from "../../../core/sync/test-states.ts";
import type { Epoch } from "../../../shared/epoch.ts";
import type { StateChange } from "../../../shared/protocol/player-state.ts";
import type { Page } from "./diary.ts";
import { areDiariesClean, auditDiaries, diaryAuditText, type PlayersDiary } from "./diary-audit.ts";
import { type DiaryTables, readDiaries } from "./diary-tables.ts";

const world = await startTestStates();
after(() => world.drop());
const ada = await world.newPlayer();

/** So many notes, the newest of which has that number. */
function notes(stateEpoch: Epoch, count: number, last: number): StateChange {
  const change = { playerId: ada, stateEpoch, collection: "diary", format: 1 };
  return { ...change, add: { count }, set: { last } };
}

// Five notes in Beijing, of which the last came when Shanghai had the player already; three more there.
const first = await granted(world.load(ada, beijing1));
await world.batch("beijing-1/0/1", [1, 1], [notes(first, 4, 4), release(ada, first)]);
const second = await granted(world.load(ada, shanghai1));
await world.batch("beijing-1/0/2", [1, 1], [notes(first, 1, 5)]);
await world.batch("shanghai-1/0/1", [1, 1], [notes(second, 3, 8)]);
const tables = await readDiaries(world.url);

const inBeijing: Page = {
  regionId: "beijing",
  opened: { count: 0, last: 0 },
  written: { count: 5, last: 5 },
  saved: { count: 3, last: 3 },
  sent: 5,
  unanswered: false,
  nodeKilled: false,
};
const inShanghai: Page = {
  regionId: "shanghai",
  opened: { count: 4, last: 4 },
  written: { count: 7, last: 8 },
  saved: { count: 7, last: 8 },
  sent: 8,
  unanswered: false,
  nodeKilled: false,
};

function diary(...pages: readonly Page[]): PlayersDiary[] {
  return [{ playerId: ada, pages }];
}

/** How much of each kind is found. */
function counts(given: readonly PlayersDiary[], found: DiaryTables, atRest = true) {
  const { lost, doubled, missing } = auditDiaries(given, found, { atRest });
  return [lost.length, doubled.length, missing.length];
}

function stored(count: number, last: number): DiaryTables {
  return { ...tables, diaries: new Map([[ada, { count, last }]]) };
}

test("what is right is found right, and what came too late is counted", () => {
  const found = auditDiaries(diary(inBeijing, inShanghai), tables, { atRest: true });
  assert.ok(areDiariesClean(found), diaryAuditText(found));
  const unsaved = "not saved yet: 0 gone with their nodes, 1 refused as late";
  assert.equal(diaryAuditText(found), `8 notes: 0 lost, 0 doubled (${unsaved})`);
});

test("what was saved and is not there is lost: in the tables, or at the next opening", () => {
  assert.deepEqual(counts(diary(inBeijing, inShanghai), stored(6, 8)), [1, 0, 1]);
  assert.deepEqual(counts(diary(inBeijing, inShanghai), stored(7, 7)), [1, 0, 0]);
  const emptied = new Map<string, never>();
  assert.deepEqual(
    counts(diary(inBeijing, inShanghai), { ...tables, diaries: emptied }),
    [1, 0, 1],
  );
  const forgetful = {
    ...inShanghai,
    opened: { count: 2, last: 2 },
    written: { count: 5, last: 8 },
  };
  const kept = { ...forgetful, saved: { count: 5, last: 8 } };
  const [lost] = counts(diary(inBeijing, kept), stored(5, 8));
  assert.equal(lost, 1, "three were saved, and the next page began with two");
  // Also while nobody has been told that anything of the page after is saved.
  const killed = { ...inShanghai, saved: undefined, nodeKilled: true };
  assert.deepEqual(counts(diary(inBeijing, killed), stored(2, 2)), [1, 0, 0]);
});

test("what nobody wrote is doubled: in the tables, at an opening, or refused though it is there", () => {
  assert.deepEqual(counts(diary(inBeijing, inShanghai), stored(8, 8)), [0, 1, 0]);
  assert.deepEqual(counts(diary(inBeijing, inShanghai), stored(7, 9)), [0, 1, 0]);
  const unanswered = { ...inShanghai, sent: 9, unanswered: true };
  assert.deepEqual(counts(diary(inBeijing, unanswered), stored(8, 9)), [0, 0, 0]);
  assert.deepEqual(counts(diary(inBeijing, unanswered), stored(9, 9)), [0, 1, 0]);
  const twice = { ...tables, refused: [...tables.refused, ...tables.refused] };
  assert.deepEqual(counts(diary(inBeijing, inShanghai), twice), [0, 1, 0]);
  const more = { ...inShanghai, opened: { count: 6, last: 5 } };
  assert.equal(counts(diary(inBeijing, more), tables)[1], 2, "six of five, one of them refused");
});

test("a note that was not saved may go with its node, and with nothing else", () => {
  const none = { ...tables, refused: [] };
  assert.deepEqual(counts(diary(inBeijing, inShanghai), none), [0, 0, 1]);
  const killed = { ...inBeijing, nodeKilled: true };
  const found = auditDiaries(diary(killed, inShanghai), none, { atRest: true });
  assert.ok(areDiariesClean(found), diaryAuditText(found));
  assert.equal(found.wentWithNodes, 1);
  // A killed node excuses nothing that was saved.
  const [lost] = counts(diary({ ...killed, saved: killed.written }, inShanghai), none);
  assert.equal(lost, 1);
});

test("while players write, the tables may have more, and what is late may be under way", () => {
  assert.deepEqual(counts(diary(inBeijing, inShanghai), stored(9, 10), false), [0, 0, 0]);
  assert.deepEqual(
    counts(diary(inBeijing, inShanghai), { ...tables, refused: [] }, false),
    [0, 0, 0],
  );
  assert.deepEqual(counts(diary(inBeijing, inShanghai), stored(6, 8), false), [1, 0, 0]);
});

test("a row that is deleted or raised by hand is found", async () => {
  const { database } = world;
  const set = (count: number) =>
    database.run(
      `update player_documents set fields = fields || jsonb_build_object('count', $2::int)
       where player_id = $1 and collection = 'diary'`,
      [ada, count],
    );
  await set(8);
  assert.deepEqual(counts(diary(inBeijing, inShanghai), await readDiaries(world.url)), [0, 1, 0]);
  await set(7);
  assert.deepEqual(counts(diary(inBeijing, inShanghai), await readDiaries(world.url)), [0, 0, 0]);
  await set(5);
  assert.deepEqual(counts(diary(inBeijing, inShanghai), await readDiaries(world.url)), [1, 0, 1]);
});
