import assert from "node:assert/strict";
import { test } from "node:test";
import { MeridianError } from "../../shared/errors.ts";
import { FakeClock } from "../../shared/fake-clock.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { ProducerId } from "../../shared/protocol/player-state.ts";
import { FlushWatermark } from "./flush-watermark.ts";

const ada = ProducerId.parse("beijing-1/0/1");
const bea = ProducerId.parse("beijing-1/1/1");

/** A database whose synchronous commits end when the test says so. */
function setUp() {
  const clock = new FakeClock();
  const commits: { end: () => void; fail: () => void }[] = [];
  const watermark = new FlushWatermark({
    awaitFlushed: () =>
      new Promise((resolve, reject) => {
        commits.push({ end: resolve, fail: () => reject(new MeridianError("timeout")) });
      }),
    clock,
    log: createLog("test", "silent"),
    metrics: createMetrics({}),
  });
  return { clock, commits, watermark };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("a batch is flushed once a commit that began after it has ended, and no sooner", async () => {
  const { clock, commits, watermark } = setUp();
  assert.equal(watermark.flushedSeqOf(ada, 3), 0);
  assert.equal(commits.length, 0, "not at once: others join");
  clock.advance(100);
  assert.equal(commits.length, 1);
  assert.equal(watermark.flushedSeqOf(ada, 5), 0, "made while the commit was under way");
  assert.equal(watermark.flushedSeqOf(bea, 1), 0);
  commits[0]?.end();
  await settled();
  assert.equal(watermark.flushedSeqOf(ada, 5), 3);
  clock.advance(100);
  commits[1]?.end();
  await settled();
  assert.equal(watermark.flushedSeqOf(ada, 5), 5);
  assert.equal(watermark.flushedSeqOf(bea, 1), 1);
  clock.advance(10_000);
  assert.equal(commits.length, 2, "nothing is open: the database is left alone");
});

test("a commit that fails settles nothing, and is tried again more slowly", async () => {
  const { clock, commits, watermark } = setUp();
  watermark.flushedSeqOf(ada, 3);
  clock.advance(100);
  commits[0]?.fail();
  await settled();
  assert.equal(watermark.flushedSeqOf(ada, 4), 0);
  clock.advance(400);
  assert.equal(commits.length, 1);
  clock.advance(100);
  commits[1]?.end();
  await settled();
  assert.equal(watermark.flushedSeqOf(ada, 4), 4);
});

test("what a core before it had applied is not flushed until it has looked", async () => {
  const { clock, commits, watermark } = setUp();
  assert.equal(watermark.flushedSeqOf(ada, 9), 0, "an outbox that only asks");
  clock.advance(100);
  commits[0]?.end();
  await settled();
  assert.equal(watermark.flushedSeqOf(ada, 9), 9);
  assert.equal(watermark.flushedSeqOf(ada, 4), 0, "set back: those that follow are others");
  watermark.stop();
});
