import assert from "node:assert/strict";
import { test } from "node:test";
import { sleep, systemClock } from "./clock.ts";
import { FakeClock } from "./fake-clock.ts";

test("a fake clock runs what falls due, in order of time, then of scheduling", () => {
  const clock = new FakeClock();
  const ran: string[] = [];
  clock.after(30, () => ran.push("c"));
  clock.after(10, () => ran.push("a"));
  clock.after(10, () => ran.push("b"));
  const cancel = clock.after(20, () => ran.push("never"));
  cancel();
  clock.advance(9);
  assert.deepEqual(ran, []);
  clock.advance(1);
  assert.deepEqual(ran, ["a", "b"]);
  clock.advance(100);
  assert.deepEqual(ran, ["a", "b", "c"]);
  assert.equal(clock.pending, 0);
});

test("a fake clock repeats, and shows each task its own moment", () => {
  const clock = new FakeClock(0);
  const moments: number[] = [];
  const cancel = clock.every(10, () => {
    moments.push(clock.monotonicMs());
    if (moments.length === 3) cancel();
  });
  clock.advance(1000);
  assert.deepEqual(moments, [10, 20, 30]);
  assert.equal(clock.nowMs(), 1000);
});

test("a sleep ends with its time or with its signal", async () => {
  const clock = new FakeClock();
  const slept = sleep(clock, 50);
  clock.advance(50);
  await slept;

  const abort = new AbortController();
  const aborted = sleep(clock, 1_000_000, abort.signal);
  abort.abort();
  await aborted;
  await sleep(clock, 1_000_000, abort.signal);
  assert.equal(clock.pending, 0, "no timer is left behind");
});

test("the system's clock fires once and repeats until cancelled", async () => {
  await new Promise<void>((resolve) => systemClock.after(1, resolve));
  let ticks = 0;
  await new Promise<void>((resolve) => {
    const cancel = systemClock.every(1, () => {
      ticks += 1;
      if (ticks < 3) return;
      cancel();
      resolve();
    });
  });
  assert.equal(ticks, 3);
});
