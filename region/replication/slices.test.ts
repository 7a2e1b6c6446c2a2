import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as breath } from "node:timers/promises";
import { FakeClock } from "../../shared/fake-clock.ts";
import { inSlices } from "./slices.ts";

/** A piece that keeps the process busy for so long. */
function busy(clock: FakeClock, ms: number, done: string[], name: string): () => string {
  return () => {
    clock.advance(ms);
    done.push(name);
    return name;
  };
}

test("a piece is followed by a rest as long as itself", async () => {
  const clock = new FakeClock();
  const slice = inSlices(clock);
  const done: string[] = [];
  const results = [slice(busy(clock, 8, done, "one")), slice(busy(clock, 3, done, "two"))];
  await breath();
  assert.deepEqual(done, ["one"]);
  clock.advance(7);
  await breath();
  assert.deepEqual(done, ["one"]);
  clock.advance(1);
  await breath();
  assert.deepEqual(done, ["one", "two"]);
  assert.deepEqual(await Promise.all(results), ["one", "two"]);
});

test("small ones rest together", async () => {
  const clock = new FakeClock();
  const slice = inSlices(clock);
  const done: string[] = [];
  const names = ["a", "b", "c", "d", "e"];
  const all = names.map((name) => slice(busy(clock, 0.5, done, name)));
  for (let turn = 0; turn < 10; turn += 1) await breath();
  assert.deepEqual(done, names.slice(0, 4));
  clock.advance(2);
  assert.deepEqual(await Promise.all(all), names);
});

test("one that fails, or whose result takes long, holds up nobody", async () => {
  const clock = new FakeClock();
  const slice = inSlices(clock);
  const failing = slice(() => {
    throw new Error("planted");
  });
  const never = slice(() => new Promise<void>(() => {}));
  const last = slice(() => "done");
  await assert.rejects(failing, /planted/);
  for (let turn = 0; turn < 3; turn += 1) {
    clock.advance(0);
    await breath();
  }
  assert.equal(await last, "done");
  assert.ok(never instanceof Promise);
});
