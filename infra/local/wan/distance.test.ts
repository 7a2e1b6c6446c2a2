import assert from "node:assert/strict";
import { test } from "node:test";
import { findCity } from "./cities.ts";
import { distanceKm, oneWayMs } from "./distance.ts";

const beijing = { latitude: 39.9, longitude: 116.4 };
const shanghai = { latitude: 31.23, longitude: 121.47 };
const shenzhen = { latitude: 22.54, longitude: 114.06 };

test("distances are those of the map", () => {
  for (const [from, to, km] of [
    [beijing, shanghai, 1_067],
    [beijing, shenzhen, 1_943],
    [shanghai, shanghai, 0],
    [{ latitude: 0, longitude: 179.5 }, { latitude: 0, longitude: -179.5 }, 111],
  ] as const) {
    assert.ok(Math.abs(distanceKm(from, to) - km) < 5, `${distanceKm(from, to)} for ${km}`);
  }
});

test("one way is the fibre's time by the road it takes, plus the last mile", () => {
  assert.equal(oneWayMs(shanghai, shanghai), 1.5);
  const ms = oneWayMs(beijing, shanghai);
  assert.ok(ms > 9.5 && ms < 10.5, `${ms}`);
  assert.equal(oneWayMs(shanghai, beijing), ms);
});

test("a city is found whatever the case, and no other is", () => {
  assert.equal(findCity("HangZhou")?.name, "Hangzhou");
  assert.equal(findCity("Atlantis"), undefined);
});
