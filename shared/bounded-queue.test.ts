import assert from "node:assert/strict";
import { test } from "node:test";
import { BoundedQueue } from "./bounded-queue.ts";
import { isFailure } from "./errors.ts";
import { FakeClock } from "./fake-clock.ts";

function setUp() {
  const clock = new FakeClock();
  const queue = new BoundedQueue({
    name: "testing",
    runningMax: 2,
    waitingMax: 2,
    deadlineMs: 1_000,
    clock,
  });
  const began: string[] = [];
  const ends: (() => void)[] = [];
  const work = (name: string) => () => {
    began.push(name);
    return new Promise<string>((resolve) => ends.push(() => resolve(name)));
  };
  return { clock, queue, began, ends, work };
}

/** The limiter begins work from timers of its own, real ones. */
async function settle(done: () => boolean): Promise<void> {
  const giveUpAtMs = performance.now() + 5_000;
  while (!done()) {
    assert.ok(performance.now() < giveUpAtMs, "not within 5 s");
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

test("two run, two wait, the fifth is refused", async () => {
  const { queue, began, ends, work } = setUp();
  const all = ["a", "b", "c", "d"].map((name) => queue.run(work(name)));
  await settle(() => began.length === 2 && queue.waiting === 2);
  await assert.rejects(queue.run(work("e")), (error) => {
    assert.ok(isFailure(error, "unavailable"));
    assert.equal(error.retryAfterMs, 1_000);
    return true;
  });
  ends[0]?.();
  ends[1]?.();
  await settle(() => began.length === 4);
  ends[2]?.();
  ends[3]?.();
  assert.deepEqual(await Promise.all(all), ["a", "b", "c", "d"]);
});

test("urgent work goes first, and pushes out what is not", async () => {
  const { queue, began, ends, work } = setUp();
  const running = [queue.run(work("a")), queue.run(work("b"))];
  const waiting = [queue.run(work("c")), queue.run(work("d"))];
  const refused = assert.rejects(Promise.all(waiting), (error) => isFailure(error, "unavailable"));
  await settle(() => queue.waiting === 2);
  const urgent = queue.run(work("u"), "urgent");
  await refused;
  ends[0]?.();
  await settle(() => began.length === 3);
  assert.equal(began[2], "u");
  for (const end of ends) end();
  assert.equal(await urgent, "u");
  await Promise.all(running);
});

test("who waited too long is told, and the work does not begin", async () => {
  const { clock, queue, began, ends, work } = setUp();
  const running = ["a", "b"].map((name) => queue.run(work(name)));
  const waited = queue.run(work("c"));
  const late = Promise.allSettled([...running, waited]);
  await settle(() => began.length === 2 && queue.waiting === 1);
  clock.advance(1_000);
  for (const outcome of await late) {
    assert.ok(outcome.status === "rejected" && isFailure(outcome.reason, "timeout"));
  }
  for (const end of ends) end();
  await settle(() => queue.waiting === 0);
  assert.deepEqual(began, ["a", "b"]);
});

test("a failure of the work is the caller's, and frees the place", async () => {
  const { queue } = setUp();
  for (let n = 0; n < 5; n += 1) {
    const broken = queue.run(() => Promise.reject(new Error("broken")));
    await assert.rejects(broken, /broken/);
  }
  assert.equal(await queue.run(async () => 7), 7);
});
