import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { isFailure, MeridianError } from "../errors.ts";
import { FakeClock } from "../fake-clock.ts";
import { RegionId } from "../ids.ts";
import { FRESH_MS, Measurements, USABLE_MS } from "./measurements.ts";
import type { NetworkEvent } from "./network.ts";
import type { Measured } from "./round-trips.ts";

const CORE = "http://core.test";
const KEY = "meridian.round-trips";
const near: Measured = { roundTripsMs: { beijing: 8 }, unanswered: [RegionId.parse("wuhan")] };
const far: Measured = { roundTripsMs: { beijing: 80 }, unanswered: [] };
const nowhere: Measured = { roundTripsMs: {}, unanswered: [RegionId.parse("beijing")] };

/** Measurements whose measuring is the test's: each one waits for what the test has it find. */
class Bench {
  readonly clock = new FakeClock();
  readonly entries = new Map<string, string>();
  readonly storage = {
    getItem: (key: string) => this.entries.get(key) ?? null,
    setItem: (key: string, value: string) => void this.entries.set(key, value),
    removeItem: (key: string) => void this.entries.delete(key),
  };
  readonly waiting: PromiseWithResolvers<Measured>[] = [];
  begun = 0;
  tell: (event: NetworkEvent) => void = () => {};
  measurements = this.load();

  /** As a page does that is loaded again. */
  load(core = CORE): Measurements {
    return new Measurements({
      core,
      storage: this.storage,
      clock: this.clock,
      measure: () => {
        this.begun += 1;
        const measuring = withResolvers<Measured>();
        this.waiting.push(measuring);
        return measuring.promise;
      },
      watchNetwork: (notify) => {
        this.tell = notify;
        return () => {};
      },
    });
  }

  /** Ends the measuring that is under way. */
  async found(measured: Measured | MeridianError): Promise<void> {
    const measuring = this.waiting.shift();
    assert.ok(measuring, "something is measured");
    if (measured instanceof MeridianError) measuring.reject(measured);
    else measuring.resolve(measured);
    await setImmediate();
  }

  /** Measures for the first time. */
  async measured(measured = near): Promise<void> {
    const first = this.measurements.forJoin();
    await this.found(measured);
    await first;
  }
}

interface PromiseWithResolvers<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
}

function withResolvers<T>(): PromiseWithResolvers<T> {
  let settle: Omit<PromiseWithResolvers<T>, "promise"> | undefined;
  const promise = new Promise<T>((resolve, reject) => {
    settle = { resolve, reject };
  });
  assert.ok(settle);
  return { promise, ...settle };
}

test("the first uses wait for one measuring and share it", async () => {
  const bench = new Bench();
  assert.equal(bench.measurements.known(), undefined);
  const uses = [
    bench.measurements.forJoin(),
    bench.measurements.forJoin(),
    bench.measurements.newerThan(0),
  ];
  await bench.found(near);
  for (const report of await Promise.all(uses)) {
    assert.deepEqual(report, { ...near, roundTripsAgeMs: 0 });
  }
  assert.equal(bench.begun, 1);
});

test("fresh ones serve as they are, with their age", async () => {
  const bench = new Bench();
  await bench.measured();
  bench.clock.advance(FRESH_MS - 1);
  assert.equal((await bench.measurements.forJoin()).roundTripsAgeMs, FRESH_MS - 1);
  assert.equal(bench.begun, 1);
});

test("older ones serve at once, while new ones are measured once in the background", async () => {
  const bench = new Bench();
  await bench.measured();
  bench.clock.advance(FRESH_MS);
  for (let use = 0; use < 3; use += 1) {
    assert.equal((await bench.measurements.forJoin()).roundTripsMs.beijing, 8);
  }
  assert.equal(bench.begun, 2);
  await bench.found(far);
  assert.deepEqual(await bench.measurements.forJoin(), { ...far, roundTripsAgeMs: 0 });
  assert.equal(bench.begun, 2);
});

test("those past their time are waited for anew", async () => {
  const bench = new Bench();
  await bench.measured();
  bench.clock.advance(USABLE_MS);
  assert.equal(bench.measurements.known(), undefined);
  const use = bench.measurements.forJoin();
  await bench.found(far);
  assert.deepEqual(await use, { ...far, roundTripsAgeMs: 0 });
});

test("a core that is away costs the first use, not those that know something", async () => {
  const bench = new Bench();
  const first = bench.measurements.forJoin();
  const refused = assert.rejects(first, (error) => isFailure(error, "unavailable"));
  await bench.found(new MeridianError("unavailable"));
  await refused;
  await bench.measured();
  bench.clock.advance(FRESH_MS);
  await bench.measurements.forJoin();
  await bench.found(new MeridianError("unavailable"));
  assert.equal((await bench.measurements.forJoin()).roundTripsAgeMs, FRESH_MS);
});

test("what reached no region is told once and not kept, whatever is known already", async () => {
  const bench = new Bench();
  const first = bench.measurements.forJoin();
  await bench.found(nowhere);
  assert.deepEqual(await first, { ...nowhere, roundTripsAgeMs: 0 });
  assert.equal(bench.measurements.known(), undefined);
  await bench.measured();
  bench.clock.advance(FRESH_MS);
  const anew = bench.measurements.newerThan(FRESH_MS);
  await bench.found(nowhere);
  assert.deepEqual((await anew).roundTripsMs, {});
  assert.deepEqual(bench.measurements.known()?.roundTripsMs, near.roundTripsMs);
});

test("another network throws them away, in the storage too; a woken tab does not", async () => {
  const bench = new Bench();
  await bench.measured();
  bench.tell("resumed");
  assert.ok(bench.measurements.known());
  bench.tell("networkChanged");
  assert.equal(bench.measurements.known(), undefined);
  assert.equal(bench.load().known(), undefined);
});

test("a change of network in the middle has them measured once more, and not for ever", async () => {
  const bench = new Bench();
  const use = bench.measurements.forJoin();
  bench.tell("networkChanged");
  await bench.found(near);
  await bench.found(far);
  assert.deepEqual((await use).roundTripsMs, far.roundTripsMs);

  bench.clock.advance(USABLE_MS);
  const unlucky = bench.measurements.forJoin();
  for (let tries = 0; tries < 2; tries += 1) {
    bench.tell("networkChanged");
    await bench.found(near);
  }
  assert.deepEqual(await unlucky, { roundTripsMs: {}, unanswered: [], roundTripsAgeMs: 0 });
  assert.equal(bench.measurements.known(), undefined);
});

test("a page that is loaded again knows them, and how old they are", async () => {
  const bench = new Bench();
  await bench.measured();
  bench.clock.advance(5_000);
  assert.deepEqual(bench.load().known(), { ...near, roundTripsAgeMs: 5_000 });
  assert.equal(bench.load("http://another.test").known(), undefined, "of another core");
  bench.clock.advance(USABLE_MS);
  assert.equal(bench.load().known(), undefined, "too old");
});

test("what is in the storage is believed only if it makes sense", () => {
  const bench = new Bench();
  const kept = { core: CORE, measuredAtMs: bench.clock.nowMs(), ...near };
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`r${index}`, 1]));
  const texts = [
    "",
    "{",
    "null",
    "[]",
    '"beijing"',
    JSON.stringify({ ...kept, measuredAtMs: kept.measuredAtMs + 1 }),
    JSON.stringify({ ...kept, measuredAtMs: "now" }),
    JSON.stringify({ ...kept, roundTripsMs: { beijing: -1 } }),
    JSON.stringify({ ...kept, roundTripsMs: { "not a slug": 1 } }),
    JSON.stringify({ ...kept, roundTripsMs: many }),
    JSON.stringify({ ...kept, unanswered: [1] }),
  ];
  for (const text of texts) {
    bench.entries.set(KEY, text);
    assert.equal(bench.load().known(), undefined, text);
  }
  bench.entries.set(KEY, JSON.stringify(kept));
  assert.deepEqual(bench.load().known(), { ...near, roundTripsAgeMs: 0 });
});
