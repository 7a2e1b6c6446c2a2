import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { MeridianError } from "../errors.ts";
import { FakeClock } from "../fake-clock.ts";
import { backoffMs, retrying } from "./backoff.ts";

const backoff = { firstMs: 500, mostMs: 5_000 };
const dice = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test("a wait is anywhere between what the server asks for and a bound that doubles up to a limit", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5_000 }),
      dice,
      fc.nat(60_000),
      (attempt, roll, asked) => {
        const waitMs = backoffMs(attempt, backoff, roll, asked);
        const bound = Math.min(backoff.mostMs, backoff.firstMs * 2 ** (attempt - 1));
        assert.ok(waitMs >= asked && waitMs <= asked + bound, `${waitMs}`);
      },
    ),
  );
  assert.equal(backoffMs(3, backoff, 0.5), 1_000);
});

/** Runs timers until the promise settles. */
async function settle<T>(promise: Promise<T>, clock: FakeClock): Promise<PromiseSettledResult<T>> {
  let result: PromiseSettledResult<T> | undefined;
  void Promise.allSettled([promise]).then(([settled]) => {
    result = settled;
  });
  while (!result) {
    await new Promise(setImmediate);
    if (clock.pending > 0) clock.advance(100);
  }
  return result;
}

test("a call is tried again while that can help, within its budget", async () => {
  const clock = new FakeClock();
  const sources = { clock, random: () => 0.999 };
  let calls = 0;
  const failing = (kind: "unavailable" | "forbidden", until = Number.POSITIVE_INFINITY) => {
    calls = 0;
    return async () => {
      calls += 1;
      if (calls < until) throw new MeridianError(kind);
      return calls;
    };
  };
  const budget = { attemptsMax: 4, totalMs: 60_000 };

  const third = await settle(retrying(failing("unavailable", 3), budget, sources), clock);
  assert.deepEqual(third, { status: "fulfilled", value: 3 });

  const never = await settle(retrying(failing("unavailable"), budget, sources), clock);
  assert.equal(never.status, "rejected");
  assert.equal(calls, budget.attemptsMax);

  await settle(retrying(failing("forbidden"), budget, sources), clock);
  assert.equal(calls, 1, "a refusal is final");

  const brief = { attemptsMax: 100, totalMs: 2_000 };
  const startedMs = clock.monotonicMs();
  await settle(retrying(failing("unavailable"), brief, sources), clock);
  assert.ok(clock.monotonicMs() - startedMs <= brief.totalMs + 100, "the total is bounded");
});

test("what the server asks for is waited for, or the call fails at once", async () => {
  const clock = new FakeClock();
  const sources = { clock, random: () => 0 };
  const startedMs = clock.monotonicMs();
  let calls = 0;
  const busy = (retryAfterMs: number) => async () => {
    calls += 1;
    if (calls === 1) throw new MeridianError("too_many_requests", { retryAfterMs });
    return "done";
  };
  const budget = { attemptsMax: 3, totalMs: 10_000 };
  await settle(retrying(busy(3_000), budget, sources), clock);
  assert.ok(clock.monotonicMs() - startedMs >= 3_000);
  calls = 0;
  const result = await settle(retrying(busy(30_000), budget, sources), clock);
  assert.equal(result.status, "rejected");
});
