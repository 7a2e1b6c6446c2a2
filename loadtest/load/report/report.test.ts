import assert from "node:assert/strict";
import { test } from "node:test";
import { buildSummary, type Measured } from "../build-summary.ts";
import { LoadSummary } from "../summary.ts";
import { reportData } from "./charts.ts";
import { reportPage } from "./report.ts";

const SPREAD = { count: 3, p50: 10, p95: 20, p99: 30, max: 31 };
const NOTHING = { counters: {}, joins: 0, players: 0, queue: 0, trends: {} };

function region(regionId: string, players: number) {
  const rest = { state: "active", capacity: 9, waiting: 0, rooms: 1, nodes: 1, builds: ["b"] };
  return { regionId, players, ...rest, tickLatenessP99Ms: 2 };
}

function measured(changes: Partial<Measured> = {}): Measured {
  return {
    scenario: { name: "failover-drill", what: "A region is lost." },
    parameters: { PLAYERS: "3" },
    target: {
      kind: "local world",
      coreUrl: "http://127.0.0.1:1",
      build: "b",
      regions: ["beijing", "tianjin"],
      wan: false,
    },
    machine: { processors: 2, model: "m", memoryGiB: 1, system: "s", node: "n", k6: "k" },
    commit: undefined,
    startedAtMs: 0,
    endedAtMs: 2_000,
    windowMs: 1_000,
    windows: [
      { ...NOTHING, index: 0, players: 3, joins: 3, trends: { join_ms: SPREAD } },
      { ...NOTHING, index: 1, players: 2, trends: { downtime_ms: SPREAD } },
    ],
    sights: new Map([
      [0, { regions: [region("beijing", 3)], cpu: { k6: 0.5, servers: 0.5, busy: 0.6 } }],
      [1, { regions: [region("beijing", 0), region("tianjin", 2)], cpu: undefined }],
    ]),
    totals: {
      counters: { inputs_sent: 60 },
      failures: { cut_off: 1 },
      trends: { join_ms: SPREAD, downtime_ms: { ...SPREAD, count: 2 } },
      checks: { "plays to the end": { passes: 2, fails: 1 } },
      playersMost: 3,
      joins: 3,
      late: 0,
    },
    thresholds: [{ metric: "failures", expression: "count==0", passed: false }],
    events: [{ atS: 1, what: "SIGKILL to all of beijing" }],
    end: { code: 99, lastWords: "" },
    interrupted: false,
    isLate: false,
    problem: undefined,
    k6Processors: 2,
    struck: { regionId: "beijing", how: "kill", players: 3 },
    ...changes,
  };
}

test("a summary keeps to its own schema, and counts who did not come back", () => {
  const summary = LoadSummary.parse(buildSummary(measured()));
  assert.equal(summary.outcome, "failed");
  const drill = { regionId: "beijing", how: "kill", players: 3, back: 2, missing: 1 };
  assert.deepEqual(summary.drill, drill);
  assert.equal(summary.generator.share, 0.5);
});

test("outcomes: what k6 says, unless it was ended or could not do it", () => {
  const outcome = (changes: Partial<Measured>) => {
    const { outcome, problem } = buildSummary(measured(changes));
    return [outcome, problem];
  };
  assert.deepEqual(outcome({ end: { code: 0, lastWords: "" } }), ["passed", null]);
  const thrown = { code: 107, lastWords: "one\nSyntaxError: x" };
  assert.deepEqual(outcome({ end: thrown }), ["broken", "k6 ended with 107: SyntaxError: x"]);
  assert.deepEqual(outcome({ end: { code: 0, lastWords: "" }, problem: "nobody" }), [
    "broken",
    "nobody",
  ]);
  assert.deepEqual(outcome({ end: { code: 105, lastWords: "" }, isLate: true }), [
    "failed",
    "it did not end in time",
  ]);
  assert.deepEqual(outcome({ end: { code: null, lastWords: "" }, interrupted: true }), [
    "interrupted",
    null,
  ]);
});

test("plots: what the run had, one value a window; what it had not is left out", () => {
  const { atS, charts, events } = reportData(buildSummary(measured()));
  assert.deepEqual(atS, [0, 1]);
  assert.equal(events.length, 1);
  const titles = charts.map(({ title }) => title);
  assert.ok(titles.includes("Downtime, at the moment of the return"));
  assert.ok(!titles.includes("Log-in"));
  const byRegion = charts.find(({ title }) => title === "Players by region");
  assert.deepEqual(byRegion?.series, [
    { label: "beijing", values: [3, 0] },
    { label: "tianjin", values: [null, 2] },
  ]);
  for (const { series } of charts) for (const { values } of series) assert.equal(values.length, 2);
});

test("the page holds everything, asks for nothing, and takes no text for markup", () => {
  const summary = buildSummary(
    measured({ events: [{ atS: 1, what: "</script><img>" }], parameters: { GAME: "<b>" } }),
  );
  const page = reportPage(summary);
  assert.ok(page.includes("&lt;b&gt;"));
  assert.ok(!page.includes("<img"));
  assert.ok(!/(?:src|href)=|url\(|@import/.test(page));
  assert.ok(/Content-Security-Policy" content="default-src 'none';/.test(page));
  for (const words of ["count==0", "✗ broken", "cut_off", "of 3 struck not back"]) {
    assert.ok(page.includes(words), words);
  }
});
