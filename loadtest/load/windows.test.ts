import assert from "node:assert/strict";
import { test } from "node:test";
import type { Sample } from "./k6-sample.ts";
import { LATE_MS, Windows } from "./windows.ts";

const START_MS = 1_000_000;

function windowsFor(windowsMax = 100): Windows {
  return new Windows({ startedAtMs: START_MS, windowMs: 1_000, windowsMax });
}

function sample(metric: string, atMs: number, value: number, tags: Sample["tags"] = {}): Sample {
  return { metric, atMs: START_MS + atMs, value, tags };
}

test("each window has its own counts and percentiles, the totals those of all", () => {
  const windows = windowsFor();
  for (let ms = 1; ms <= 100; ms += 1) windows.add(sample("input_echo_ms", 10, ms));
  windows.add(sample("input_echo_ms", 1_500, 500));
  windows.add(sample("inputs_sent", 10, 7));
  windows.add(sample("inputs_sent", 1_999, 5));
  windows.add(sample("join_ms", 1_100, 20));
  windows.finish(START_MS + 2_000);
  const [first, second] = windows.closed;
  assert.deepEqual(first?.trends.input_echo_ms, {
    count: 100,
    p50: 50,
    p95: 95,
    p99: 99,
    max: 100,
  });
  assert.equal(second?.trends.input_echo_ms?.p99, 500);
  assert.deepEqual([first?.counters.inputs_sent, second?.counters.inputs_sent], [7, 5]);
  assert.deepEqual([first?.joins, second?.joins], [0, 1]);
  const { counters, trends } = windows.totals;
  assert.equal(counters.inputs_sent, 12);
  assert.equal(trends.input_echo_ms?.count, 101);
  assert.equal(Math.round(trends.input_echo_ms?.max ?? 0), 500);
});

test("what comes late is in its window while that is open, and then in the totals alone", () => {
  const windows = windowsFor();
  windows.advance(START_MS + 1_000 + LATE_MS - 1);
  assert.equal(windows.closed.length, 0);
  windows.add(sample("failures", 900, 1, { kind: "cut_off" }));
  windows.advance(START_MS + 1_000 + LATE_MS);
  assert.equal(windows.closed.length, 1);
  windows.add(sample("failures", 950, 1, { kind: "cut_off" }));
  assert.equal(windows.closed[0]?.counters.failures, 1);
  const { failures, late } = windows.totals;
  assert.deepEqual({ failures, late }, { failures: { cut_off: 2 }, late: 1 });
});

test("players are those of all threads together, as each told last", () => {
  const windows = windowsFor();
  windows.add(sample("players", 100, 3, { vu: "1" }));
  windows.add(sample("players", 900, 4, { vu: "1" }));
  windows.add(sample("players", 200, 10, { vu: "2" }));
  windows.add(sample("players", 2_100, 0, { vu: "2" }));
  assert.equal(windows.lately(START_MS + 1_500).players, 14);
  windows.finish(START_MS + 3_000);
  assert.deepEqual(
    windows.closed.slice(0, 3).map(({ players }) => players),
    [14, 14, 4],
  );
  assert.equal(windows.totals.playersMost, 14);
});

test("no more windows are kept than asked for, nor kinds of failures than are bearable", () => {
  const windows = windowsFor(3);
  for (let at = 0; at < 1_000; at += 1) {
    windows.add(sample("failures", at * 1_000, 1, { kind: `made-up-${at}` }));
  }
  windows.finish(START_MS + 1_000_000);
  assert.equal(windows.closed.length, 3);
  const { failures, late } = windows.totals;
  assert.equal(late, 997);
  assert.ok(Object.keys(failures).length <= 101);
  assert.equal(
    Object.values(failures).reduce((sum, count) => sum + count, 0),
    1_000,
  );
});

test("percentiles of the whole run can begin anew after the warm-up", () => {
  const windows = windowsFor();
  windows.add(sample("input_echo_ms", 10, 900));
  windows.restartTrends();
  windows.add(sample("input_echo_ms", 1_010, 20));
  windows.add(sample("join_ms", 20, 5));
  windows.restartTrends();
  windows.add(sample("input_echo_ms", 1_010, 20));
  assert.equal(windows.totals.joins, 1);
  assert.equal(windows.totals.trends.input_echo_ms?.count, 1);
  assert.equal(Math.round(windows.totals.trends.input_echo_ms?.p99 ?? 0), 20);
});
