import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../shared/fake-clock.ts";
import { OpenLoop } from "./open-loop.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

async function advance(clock: FakeClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 5) {
    clock.advance(5);
    await turn();
  }
}

test("a slow server gets no fewer calls, and its slowness counts from when each was due", async () => {
  const clock = new FakeClock();
  const answers: (() => void)[] = [];
  const call = () => new Promise<string>((resolve) => answers.push(() => resolve("200")));
  const loop = new OpenLoop({ perSecond: 100, underWayMax: 8, call, clock });
  const running = loop.run(100);
  await advance(clock, 100);
  assert.equal(answers.length, 8, "the bound of calls under way");
  for (const answer of answers) answer();
  await advance(clock, 10);
  await running;
  assert.equal(loop.skipped, 2);
  assert.deepEqual([...loop.outcomes], [["200", 8]]);
  assert.ok((loop.latenciesMs[0] ?? 0) >= 100);
  assert.ok((loop.latenciesMs[7] ?? 0) < 40);
});

test("a call that fails is an outcome", async () => {
  const clock = new FakeClock();
  const call = () => Promise.reject(new Error("no connection"));
  const loop = new OpenLoop({ perSecond: 10, underWayMax: 1, call, clock });
  const running = loop.run(100);
  await advance(clock, 20);
  await running;
  assert.deepEqual([...loop.outcomes], [["Error: no connection", 1]]);
});
