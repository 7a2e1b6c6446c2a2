/** What is foreseen of a line, where it can be reckoned by hand. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Forecast, type ForecastOptions } from "./forecast.ts";

const EMPTY: ForecastOptions = {
  line: Array.from({ length: 60 }, () => ({ ageMs: 0, players: 10 })),
  playing: [],
  free: 0,
  leaving: () => 0,
  ending: () => 1 / 10_000,
  perEnd: 1,
  perMsMax: 0.04,
};

function isNear(ms: number, expectedMs: number): void {
  assert.ok(Math.abs(ms / expectedMs - 1) < 0.05, `${ms} ms, where ${expectedMs} are expected`);
}

test("an empty region fills at the pace at which players are let in, and those let in leave in turn", () => {
  const forecast = new Forecast({ ...EMPTY, free: 400 });
  isNear(forecast.ms(400), 10_000);
  // 200 more than there are seats: as many were left meanwhile.
  isNear(forecast.ms(600), 15_000);
  isNear(forecast.ms(1_000), 25_000);
});

test("where there is neither a seat nor anybody who could leave one nothing is foreseen", () => {
  const forecast = new Forecast(EMPTY);
  assert.equal(forecast.ms(0), 0);
  assert.equal(forecast.ms(1), Number.POSITIVE_INFINITY);
});

test("seats that are lacking are left first", () => {
  const playing = [{ ageMs: 0, players: 12_000 }];
  const steady = { ...EMPTY, playing, ending: () => 1 / 600_000, perMsMax: 1_000 };
  isNear(new Forecast(steady).ms(500), 25_000);
  isNear(new Forecast({ ...steady, free: -500 }).ms(500), 50_000);
});
