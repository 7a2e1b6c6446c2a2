/** When clients are told to ask again is bounded on all sides, whatever the queue is like. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Chance, testSeed } from "../../shared/chance.testkit.ts";
import { QUEUE_POLL_MS_MAX } from "../../shared/protocol/queue.ts";
import { frontOf, type PollDelayOptions, pollDelayMs } from "./poll-delay.ts";

/** A wait that is known exactly. */
function sure(ms: number) {
  return { ms, lowMs: ms };
}

/** Behind the front of all who may ask often at a thousand polls a second. */
const NEXT: PollDelayOptions = {
  position: 126,
  eta: sure(0),
  opensInMs: undefined,
  waiting: 1,
  pollsPerSecondMax: 1_000,
  dice: 0.5,
};

test("never under 0.85 s, never over the most that clients are asked to wait", (t) => {
  const seed = testSeed();
  t.diagnostic(`seed ${seed}`);
  const chance = new Chance(seed);
  for (let n = 0; n < 5_000; n += 1) {
    const any = () => 10 ** (chance.float() * 8);
    const delayMs = pollDelayMs({
      position: Math.ceil(any()),
      eta: chance.once(3) ? null : { ms: any(), lowMs: any() },
      opensInMs: chance.once(3) ? any() : undefined,
      waiting: Math.ceil(any()),
      pollsPerSecondMax: Math.ceil(any()),
      dice: chance.float(),
    });
    assert.ok(Number.isInteger(delayMs));
    assert.ok(delayMs >= 850 && delayMs <= QUEUE_POLL_MS_MAX, `${delayMs} ms`);
  }
});

test("soon at the front, seldom at the back, jittered by 15%", () => {
  assert.equal(pollDelayMs(NEXT), 1_000);
  assert.equal(pollDelayMs({ ...NEXT, eta: sure(40_000) }), 10_000);
  assert.equal(pollDelayMs({ ...NEXT, eta: sure(40_000), dice: 0 }), 8_500);
  assert.equal(pollDelayMs({ ...NEXT, eta: sure(40_000), dice: 1 }), 11_500);
  assert.equal(pollDelayMs({ ...NEXT, position: 500, eta: null }), 10_000);
  assert.equal(pollDelayMs({ ...NEXT, eta: sure(1e9), dice: 1 }), QUEUE_POLL_MS_MAX);
});

test("who is at the front asks often, however slow it is and however many wait", () => {
  const slow = { ...NEXT, eta: sure(600_000), waiting: 100_000 };
  assert.equal(frontOf(1_000), 125);
  assert.equal(pollDelayMs({ ...slow, position: 125 }), 1_000);
  assert.ok(pollDelayMs({ ...slow, position: 126 }) > 20_000);
  assert.deepEqual([frontOf(1), frontOf(1e6)], [10, 500], "whatever may be asked in all");
  assert.ok(
    pollDelayMs({ ...slow, position: 1, opensInMs: 1e9 }) > 20_000,
    "nobody has an order yet",
  );
});

test("all together ask no more often than the core can answer, up to the longest delay", () => {
  const waiting = 20_000;
  const delayMs = pollDelayMs({ ...NEXT, eta: sure(60_000), waiting });
  assert.ok((waiting / delayMs) * 1_000 <= NEXT.pollsPerSecondMax);
});

test("who may be called before the next poll of everybody asks earlier, and so does who knows no wait well", () => {
  const near = { ...NEXT, position: 400, waiting: 20_000 };
  assert.equal(pollDelayMs({ ...near, eta: sure(60_000) }), 20_000);
  assert.equal(pollDelayMs({ ...near, eta: sure(8_000) }), 6_000);
  assert.equal(pollDelayMs({ ...near, eta: { ms: 1e6, lowMs: 4_000 } }), 3_000);
  assert.equal(pollDelayMs({ ...near, eta: { ms: 1e6, lowMs: 0 } }), 1_000);
});

test("who was answered late asks again at once, wherever it is in the line", () => {
  const held = { ...NEXT, position: 300, eta: sure(6_000), waiting: 20_000, wasHeld: true };
  assert.equal(pollDelayMs(held), 100);
  assert.equal(pollDelayMs({ ...held, dice: 1 }), 115);
});
