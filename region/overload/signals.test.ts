import assert from "node:assert/strict";
import { test } from "node:test";
import { backlogOf } from "../transport/backlog.ts";
import { heapShare, memoryOfMachine } from "./memory-share.ts";
import { type Limits, READERS_MIN, type Readings, sampleOf } from "./signals.ts";

const limits: Limits = {
  loopDelayMs: 40,
  memoryBytesMax: 1_000,
  outboxItemsMax: 100,
  outboxBytesMax: 10_000,
};
const readings: Readings = {
  load: { eventLoopDelayP99Ms: 60, eventLoopUtilisation: 0.9, rssBytes: 500 },
  cpuShare: 0.95,
  heapShare: 0.2,
  backlog: { connections: 0, bytes: 0, slowReaders: 0 },
  outbox: { items: 10, bytes: 5_000, ageMs: 600_000 },
};

test("each signal is a share of what the node can bear, the worse one where there are two", () => {
  assert.deepEqual(sampleOf(readings, limits), {
    loopDelay: 1.5,
    utilisation: 0.9,
    memory: 0.5,
    slowReaders: 0,
    outbox: 0.5,
  });
  const near = { ...readings, heapShare: 0.8, outbox: { items: 90, bytes: 0, ageMs: 0 } };
  assert.deepEqual([sampleOf(near, limits).memory, sampleOf(near, limits).outbox], [0.8, 0.9]);
});

test("a loop that waits for the CPU is not busy; the threads beside it don't make it so", () => {
  assert.equal(sampleOf({ ...readings, cpuShare: 0.3 }, limits).utilisation, 0.3);
  assert.equal(sampleOf({ ...readings, cpuShare: 1.7 }, limits).utilisation, 0.9);
});

test("slow readers: whoever has an eighth of the limit waiting, but a few players are no node's", () => {
  const backlog = backlogOf([0, 100, 101, 800], 800);
  assert.deepEqual(backlog, { connections: 4, bytes: 1_001, slowReaders: 2 });
  const few = sampleOf({ ...readings, backlog }, limits);
  assert.equal(few.slowReaders, 2 / READERS_MIN);
  const many = { connections: 200, bytes: 0, slowReaders: 50 };
  assert.equal(sampleOf({ ...readings, backlog: many }, limits).slowReaders, 0.25);
});

test("what this process may have is known, and it has less", () => {
  assert.ok(memoryOfMachine() > process.memoryUsage.rss());
  assert.ok(heapShare() > 0 && heapShare() < 1);
});
