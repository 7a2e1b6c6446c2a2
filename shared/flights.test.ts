import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { isFailure } from "./errors.ts";
import { FakeClock } from "./fake-clock.ts";
import { Flights } from "./flights.ts";

interface Read {
  readonly keys: readonly string[];
  readonly land: (values?: ReadonlyMap<string, number>) => void;
  readonly fail: (error: Error) => void;
}

let clock: FakeClock;
let reads: Read[];
let flights: Flights<string, number>;

beforeEach(() => {
  clock = new FakeClock();
  reads = [];
  flights = new Flights({
    name: "numbers",
    read: (keys) =>
      new Promise((resolve, reject) => {
        const land = (
          values: ReadonlyMap<string, number> = new Map(keys.map((key) => [key, key.length])),
        ) => resolve(values);
        reads.push({ keys, land, fail: reject });
      }),
    batchMax: 3,
    keysMax: 5,
    gatherMs: 1,
    clock,
  });
});

test("a thousand who ask for one key share one read, before it is sent and after", async () => {
  const early = Array.from({ length: 500 }, () => flights.get("ada"));
  clock.advance(1);
  const late = Array.from({ length: 500 }, () => flights.get("ada"));
  assert.deepEqual(
    reads.map(({ keys }) => keys),
    [["ada"]],
  );
  reads[0]?.land();
  assert.deepEqual(new Set(await Promise.all([...early, ...late])), new Set([3]));
  assert.equal(flights.underWay, 0);
});

test("keys of one moment are read together, so many at most", async () => {
  const all = Promise.all(["a", "bb", "ccc", "dddd"].map((key) => flights.get(key)));
  clock.advance(1);
  assert.deepEqual(
    reads.map(({ keys }) => keys),
    [["a", "bb", "ccc"], ["dddd"]],
  );
  for (const read of reads) read.land();
  assert.deepEqual(await all, [1, 2, 3, 4]);
});

test("after `forget` nobody joins a read that has begun; one that has not is as good as new", async () => {
  const before = flights.get("ada");
  flights.forget("ada");
  const gathered = flights.get("ada");
  clock.advance(1);
  assert.equal(reads.length, 1);
  flights.forget("ada");
  const after = flights.get("ada");
  clock.advance(1);
  assert.equal(reads.length, 2);
  reads[0]?.land(new Map([["ada", 1]]));
  assert.deepEqual(await Promise.all([before, gathered]), [1, 1]);
  // The end of the old read does not make the new one be forgotten.
  const joined = flights.get("ada");
  reads[1]?.land(new Map([["ada", 2]]));
  assert.deepEqual(await Promise.all([after, joined]), [2, 2]);
  assert.equal(flights.underWay, 0);
});

test("a read that fails fails for all who wait, and the next one begins anew", async () => {
  const both = [flights.get("ada"), flights.get("ada")];
  clock.advance(1);
  reads[0]?.fail(new Error("away"));
  for (const one of both) await assert.rejects(one, /away/);
  const again = flights.get("ada");
  clock.advance(1);
  reads[1]?.land(new Map());
  assert.equal(await again, undefined);
});

test("so many keys are under way at most; the next one is refused at once", async () => {
  const all = ["a", "b", "c", "d", "e"].map((key) => flights.get(key));
  await assert.rejects(flights.get("f"), (error) => isFailure(error, "unavailable"));
  const joined = flights.get("e");
  clock.advance(1);
  for (const read of reads) read.land();
  await Promise.all([...all, joined]);
});
