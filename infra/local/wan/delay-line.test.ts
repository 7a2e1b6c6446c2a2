import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FakeClock } from "../../../shared/fake-clock.ts";
import { DelayLine } from "./delay-line.ts";

/** What comes out of a line, with the moment it does. */
function record() {
  const clock = new FakeClock();
  const out: [item: number, atMs: number][] = [];
  const line = new DelayLine<number>(clock, (item) => out.push([item, clock.monotonicMs()]));
  return { clock, line, out };
}

test("an item comes out exactly its delay later, and a burst takes no longer than one", () => {
  const { clock, line, out } = record();
  line.push(1, 30);
  line.push(2, 30);
  clock.advance(10);
  line.push(3, 30);
  clock.advance(100);
  assert.deepEqual(out, [
    [1, 30],
    [2, 30],
    [3, 40],
  ]);
  assert.equal(clock.pending, 0);
});

test("a shorter delay never lets a later item overtake", () => {
  const { clock, line, out } = record();
  line.push(1, 100);
  clock.advance(20);
  line.push(2, 5);
  clock.advance(200);
  assert.deepEqual(out, [
    [1, 100],
    [2, 100],
  ]);
});

test("nothing comes out while held; at the release all that is due does, in order", () => {
  const { clock, line, out } = record();
  line.push(1, 10);
  line.push(2, 50);
  line.hold();
  clock.advance(30);
  assert.deepEqual(out, []);
  line.release();
  clock.advance(0);
  assert.deepEqual(out, [[1, 30]]);
  clock.advance(100);
  assert.deepEqual(out[1], [2, 50]);
});

test("any history keeps the order, loses nothing, and delivers nothing early", () => {
  const step = fc.oneof(
    fc.record({ push: fc.nat(200) }),
    fc.record({ advance: fc.nat(100) }),
    fc.constant({ hold: true }),
    fc.constant({ release: true }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { clock, line, out } = record();
      const earliestMs: number[] = [];
      for (const one of steps) {
        if ("push" in one) {
          earliestMs.push(clock.monotonicMs() + one.push);
          line.push(earliestMs.length - 1, one.push);
        } else if ("advance" in one) clock.advance(one.advance);
        else if ("hold" in one) line.hold();
        else line.release();
      }
      line.release();
      clock.advance(10_000);
      assert.deepEqual(
        out.map(([item]) => item),
        earliestMs.map((_, item) => item),
      );
      for (const [item, atMs] of out) assert.ok(atMs >= (earliestMs[item] ?? Number.NaN));
      assert.equal(clock.pending, 0);
    }),
  );
});
