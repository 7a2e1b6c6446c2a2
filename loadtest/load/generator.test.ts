import assert from "node:assert/strict";
import { test } from "node:test";
import { type Cpu, judgeGenerator } from "./generator.ts";

function windows(count: number, cpu: Cpu): Cpu[] {
  return Array.from({ length: count }, () => cpu);
}

const CALM = { k6: 0.5, servers: 1, busy: 0.7 };
const TWO = { processors: 2, machineProcessors: 2, dropped: 0, lagP95Ms: 3 };

test("the generator's share is told, and that it had time to spare", () => {
  const { share, isBottleneck, verdict } = judgeGenerator(windows(10, CALM), TWO);
  assert.equal(share, 0.33);
  assert.equal(isBottleneck, false);
  assert.equal(verdict, "k6 took 33% of what k6 and the servers took (0.5 and 1 processors)");
});

test("a machine that is full and mostly busy with k6 makes k6 the bottleneck", () => {
  const full = { k6: 1.1, servers: 0.8, busy: 0.99 };
  const { isBottleneck, boundWindows, verdict } = judgeGenerator(
    [...windows(7, CALM), ...windows(3, full)],
    TWO,
  );
  assert.equal(isBottleneck, true);
  assert.equal(boundWindows, 3);
  assert.match(verdict, /^k6 is the bottleneck \(without time to spare in 3 of 10 windows\)/);
});

test("so does a k6 that fills the processors it may use, or arrivals that it did not get to", () => {
  const pinned = { k6: 0.95, servers: 0.1, busy: 0.5 };
  const one = { ...TWO, processors: 1 };
  assert.equal(judgeGenerator(windows(5, pinned), one).isBottleneck, true);
  assert.equal(judgeGenerator(windows(5, CALM), { ...TWO, dropped: 3 }).isBottleneck, true);
  const slow = judgeGenerator(windows(5, CALM), { ...TWO, lagP95Ms: 280 });
  assert.match(slow.verdict, /^k6 is the bottleneck \(frames waited 280 ms for it, p95\)/);
});

test("a full machine that the servers fill is not k6's fault; one busy second is nobody's", () => {
  const servers = { k6: 0.3, servers: 1.6, busy: 0.99 };
  assert.equal(judgeGenerator(windows(10, servers), TWO).isBottleneck, false);
  const once = [...windows(10, CALM), { k6: 1.9, servers: 0.1, busy: 1 }];
  assert.equal(judgeGenerator(once, TWO).isBottleneck, false);
});

test("a machine that other programs fill is told apart", () => {
  const crowded = { k6: 0.3, servers: 0.2, busy: 1 };
  const { isBottleneck, isCrowded, verdict } = judgeGenerator(windows(8, crowded), TWO);
  assert.deepEqual([isBottleneck, isCrowded], [false, true]);
  assert.match(verdict, /^Other programs filled this machine in 8 of 8 windows/);
});

test("of servers elsewhere there is no share, and of systems that don't tell there is nothing", () => {
  const { share, verdict } = judgeGenerator(windows(3, { ...CALM, servers: null }), TWO);
  assert.equal(share, null);
  assert.equal(verdict, "k6 took 0.5 of 2 processors; the servers run elsewhere");
  assert.match(judgeGenerator([], TWO).verdict, /^not measured/);
});
