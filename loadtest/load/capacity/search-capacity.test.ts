import assert from "node:assert/strict";
import { test } from "node:test";
import type { LoadSummary, LoadWindow } from "../summary.ts";
import { type CapacityResult, doubtsOf } from "./capacity-result.ts";
import { servedOf } from "./search-capacity.ts";

function window(players: number, tickLatenessP99Ms: number, joinP99Ms?: number): LoadWindow {
  const nothing = { joins: 0, failures: 0, inputs: 0, patches: 0, refusals: 0, queue: 0 };
  const region = { state: "active", capacity: 9, waiting: 0, rooms: 1, nodes: 1, builds: ["b"] };
  return {
    atS: 0,
    players,
    ...nothing,
    regions: [
      { regionId: "beijing", players, ...region, tickLatenessP99Ms },
      { regionId: "tianjin", players: 0, ...region, tickLatenessP99Ms: 999 },
    ],
    ...(joinP99Ms !== undefined && {
      join: { count: 1, p50: 1, p95: 1, p99: joinP99Ms, max: joinP99Ms },
    }),
  };
}

type Read = Pick<LoadSummary, "windows" | "trends" | "totals">;

test("a step is judged by its own region, from when everybody played; joins by those before", () => {
  const summary: Read = {
    // The last of ten seconds at full load is late by itself: one of ten may be.
    windows: [
      window(3, 400, 70),
      ...Array.from({ length: 9 }, () => window(5, 20)),
      window(5, 90),
      window(0, 500),
    ],
    trends: { echo: { count: 9, p50: 10, p95: 30, p99: 40, max: 50 } },
    totals: {
      playersMost: 5,
      joins: 5,
      inputs: 1,
      patches: 1,
      refusals: 0,
      failures: { cut_off: 1, input_lost: 2 },
      lateSamples: 0,
    },
  };
  assert.deepEqual(servedOf(summary, "beijing", 5), {
    players: 5,
    playing: 5,
    echoP99Ms: 40,
    tickP99Ms: 20,
    joinP99Ms: 70,
    failures: 3,
  });
});

function step(
  broken: readonly string[],
  { generatorBound = false, crowded = false } = {},
): CapacityResult["steps"][number] {
  const unknown = { echoP99Ms: null, tickP99Ms: null, joinP99Ms: null, generatorShare: null };
  return { players: 5, broken: [...broken], ...unknown, generatorBound, crowded };
}

test("why a limit may be too low: only what broke counts", () => {
  const tight = { generatorBound: true, crowded: true };
  assert.deepEqual(doubtsOf([step([], tight), step(["2 failures"])], true), []);
  assert.equal(doubtsOf([step(["2 failures"], tight)], true).length, 2);
  assert.match(doubtsOf([step(["3 of 5 got in"])], true)[0] ?? "", /^not all got in/);
  assert.deepEqual(doubtsOf([step([])], false), ["nothing broke up to --most"]);
});
