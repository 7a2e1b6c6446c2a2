import assert from "node:assert/strict";
import { test } from "node:test";
import { progressLine } from "./progress.ts";
import { unprotectedRooms } from "./server-watch.ts";

const TOTALS = {
  counters: {},
  failures: { cut_off: 2, input_lost: 1 },
  trends: {},
  checks: {},
  playersMost: 0,
  joins: 0,
  late: 0,
};
const REGION = { capacity: 9, rooms: 1, nodes: 1, builds: ["b"], tickLatenessP99Ms: 0 };

test("one line says how far a run is", () => {
  const line = progressLine({
    passedS: 12.4,
    windowS: 1,
    window: {
      index: 11,
      counters: {},
      joins: 3,
      players: 20,
      queue: 0,
      trends: { input_echo_ms: { count: 9, p50: 41.2, p95: 60, p99: 77.4, max: 80 } },
    },
    totals: TOTALS,
    regions: [
      { ...REGION, regionId: "beijing", state: "down", players: 0, waiting: 4 },
      { ...REGION, regionId: "tianjin", state: "active", players: 20, waiting: 1 },
    ],
    cpu: { k6: 0.61, servers: 0.39, busy: 0.5 },
  });
  assert.equal(
    line,
    "12 s | players 20 | joins 3.0/s | failures 3 | queue 5 | echo p50 41 p99 77 ms" +
      " | beijing down  tianjin 20 | cpu k6 61% servers 39% (50% busy)",
  );
});

test("what is not known is left out", () => {
  const window = { index: 0, counters: {}, joins: 0, players: 0, queue: 0, trends: {} };
  const nothing = { passedS: 0, windowS: 1, window, totals: TOTALS, regions: [], cpu: undefined };
  assert.equal(
    progressLine(nothing),
    "0 s | players 0 | joins 0.0/s | failures 3 | queue 0 | echo p50 - p99 - ms",
  );
  assert.equal(unprotectedRooms({ regions: [] }), 0);
});
