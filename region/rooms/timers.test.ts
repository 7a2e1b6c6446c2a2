import assert from "node:assert/strict";
import { test } from "node:test";
import { RoomStateError } from "./room-error.ts";
import { TIMERS_MAX, Timers, TimersState } from "./timers.ts";

function fired(timers: Timers, nowMs: number): string[] {
  const names: string[] = [];
  for (let due = timers.takeDue(nowMs); due; due = timers.takeDue(nowMs)) {
    names.push(`${due.name}@${due.dueMs}`);
  }
  return names;
}

test("fires by due time, then in the order of scheduling", () => {
  const timers = new Timers();
  timers.schedule(0, { name: "late", delayMs: 100 });
  timers.schedule(0, { name: "first", delayMs: 50 });
  timers.schedule(0, { name: "second", delayMs: 50 });
  timers.schedule(0, { name: "now", delayMs: 0 });
  assert.deepEqual(fired(timers, 0), ["now@0"]);
  assert.deepEqual(fired(timers, 49), []);
  assert.deepEqual(fired(timers, 200), ["first@50", "second@50", "late@100"]);
  assert.deepEqual(fired(timers, 1000), []);
});

test("a repeating timer fires once for each period, also after a hitch", () => {
  const timers = new Timers();
  timers.schedule(0, { name: "beat", delayMs: 30, everyMs: 30 });
  timers.schedule(0, { name: "once", delayMs: 45 });
  assert.deepEqual(fired(timers, 100), ["beat@30", "once@45", "beat@60", "beat@90"]);
  assert.deepEqual(fired(timers, 120), ["beat@120"]);
});

test("a timer that another cancels does not fire", () => {
  const timers = new Timers();
  timers.schedule(0, { name: "a", delayMs: 10 });
  const b = timers.schedule(0, { name: "b", delayMs: 10 });
  assert.equal(timers.takeDue(10)?.name, "a");
  assert.equal(timers.cancel(b), true);
  assert.equal(timers.cancel(b), false);
  assert.equal(timers.takeDue(10), undefined);
});

test("goes on from its state with the same order and ids of its own", () => {
  const timers = new Timers();
  for (const delayMs of [30, 10, 20, 10]) timers.schedule(5, { name: `t${delayMs}`, delayMs });
  timers.schedule(5, { name: "data", delayMs: 1, data: { round: [1, null, "x"] } });
  const copy = new Timers(TimersState.parse(JSON.parse(JSON.stringify(timers.state))));
  assert.deepEqual(copy.takeDue(6)?.data, { round: [1, null, "x"] });
  assert.equal(timers.takeDue(6)?.name, "data");
  assert.equal(copy.schedule(6, { name: "new", delayMs: 9 }), 6);
  timers.schedule(6, { name: "new", delayMs: 9 });
  assert.deepEqual(fired(copy, 100), fired(timers, 100));
});

test("refuses what it can't keep", () => {
  const timers = new Timers();
  assert.throws(() => timers.schedule(0, { name: "", delayMs: 1 }));
  assert.throws(() => timers.schedule(0, { name: "x", delayMs: Number.NaN }));
  assert.throws(() => timers.schedule(0, { name: "x", delayMs: 1, everyMs: 0 }));
  for (let i = 0; i < TIMERS_MAX; i++) timers.schedule(0, { name: "x", delayMs: i });
  assert.throws(
    () => timers.schedule(0, { name: "x", delayMs: 1 }),
    (error) => error instanceof RoomStateError && error.kind === "limit_exceeded",
  );
});
