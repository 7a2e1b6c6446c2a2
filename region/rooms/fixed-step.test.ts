import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../../shared/clock.ts";
import { FakeClock } from "../../shared/fake-clock.ts";
import { FixedStep } from "./fixed-step.ts";

test("runs as many steps as time has passed, whenever it is woken", () => {
  const clock = new FakeClock();
  let steps = 0;
  const loop = new FixedStep(clock, 50, () => {
    steps += 1;
  });
  clock.advance(500);
  loop.start();
  loop.start();
  clock.advance(49);
  assert.equal(steps, 0);
  clock.advance(951);
  assert.equal(steps, 20);
  loop.stop();
  clock.advance(1_000);
  assert.equal(steps, 20);
  assert.equal(clock.pending, 0);
});

test("makes up for a short hitch, and drops the rest of a long one", () => {
  let nowMs = 0;
  let wake = () => {};
  let steps = 0;
  const clock: Clock = {
    nowMs: () => 0,
    monotonicMs: () => nowMs,
    after: () => () => {},
    every(_periodMs, task) {
      wake = task;
      return () => {};
    },
  };
  new FixedStep(clock, 50, () => {
    steps += 1;
  }).start();
  nowMs = 149;
  wake();
  assert.equal(steps, 2);
  nowMs = 160;
  wake();
  assert.equal(steps, 3);
  nowMs = 10_000;
  wake();
  assert.equal(steps, 8);
  nowMs = 10_050;
  wake();
  assert.equal(steps, 9);
});
