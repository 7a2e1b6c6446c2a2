import assert from "node:assert/strict";
import { test } from "node:test";
import { broken, levelText, type Served, type ServiceLevel } from "./service-level.ts";

const LEVEL: ServiceLevel = {
  echoP99Ms: 250,
  tickP99Ms: 50,
  joinP99Ms: 2_000,
  failuresShare: 0.01,
};
const SERVED: Served = {
  players: 100,
  playing: 100,
  echoP99Ms: 250,
  tickP99Ms: 50,
  joinP99Ms: 2_000,
  failures: 1,
};

test("at the limits everything holds", () => {
  assert.deepEqual(broken(LEVEL, SERVED), []);
  assert.deepEqual(broken(LEVEL, { ...SERVED, playing: 99 }), []);
});

for (const [change, says] of [
  [{ failures: 2 }, ["2 failures"]],
  [{ playing: 98 }, ["98 of 100 got in"]],
  [{ echoP99Ms: 251 }, ["an input's echo p99 251 ms"]],
  [{ tickP99Ms: 51 }, ["a tick's lateness p99 51 ms"]],
  [{ joinP99Ms: 2_001 }, ["a join p99 2001 ms"]],
  [{ echoP99Ms: undefined }, ["an input's echo was not measured"]],
  [{ tickP99Ms: undefined }, []],
] as const) {
  test(`${JSON.stringify(change)} breaks ${JSON.stringify(says)}`, () => {
    assert.deepEqual(broken(LEVEL, { ...SERVED, ...change }), says);
  });
}

test("the level in words", () => {
  assert.equal(
    levelText(LEVEL),
    "input echo p99 ≤ 250 ms, tick lateness p99 ≤ 50 ms, join p99 ≤ 2000 ms, failures ≤ 1%",
  );
});
