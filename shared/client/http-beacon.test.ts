import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../fake-clock.ts";
import { measurePings } from "./http-beacon.ts";

const URL_OF_BEACON = "http://region.test/ping";

/** A beacon that takes so long for each answer in turn, ms. */
function beacon(clock: FakeClock, answersMs: readonly number[]) {
  let asked = 0;
  return async () => {
    clock.advance(answersMs[asked] ?? 0);
    asked += 1;
    return new Response();
  };
}

test("where the platform tells no network times the program's clock counts, without the first answer", async (t) => {
  const { PerformanceObserver: own } = globalThis;
  t.after(() => Object.assign(globalThis, { PerformanceObserver: own }));
  Reflect.deleteProperty(globalThis, "PerformanceObserver");
  const clock = new FakeClock();
  const { signal } = new AbortController();
  const fetch = beacon(clock, [90, 30, 31, 32]);
  assert.deepEqual(await measurePings(URL_OF_BEACON, { fetch, clock, signal }), [30, 31, 32]);
});

test("what answers otherwise than a beacon, or not at all, is none", async () => {
  const clock = new FakeClock();
  const { signal } = new AbortController();
  const refusing = async () => new Response(null, { status: 404 });
  assert.deepEqual(await measurePings(URL_OF_BEACON, { fetch: refusing, clock, signal }), []);
  const away = () => Promise.reject(new TypeError("fetch failed"));
  assert.deepEqual(await measurePings(URL_OF_BEACON, { fetch: away, clock, signal }), []);
});
