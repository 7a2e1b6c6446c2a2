import assert from "node:assert/strict";
import { test } from "node:test";
import { isMetricLine, readSample } from "./k6-sample.ts";
import { thresholdsOf } from "./thresholds.ts";

const TIME = "2026-11-29T14:12:08.561045265Z";

function point(metric: string, value: number, tags: unknown): string {
  return JSON.stringify({ metric, type: "Point", data: { time: TIME, value, tags, metadata: {} } });
}

test("a sample is read with its time and tags", () => {
  assert.deepEqual(readSample(point("join_ms", 12.5, { region: "beijing" })), {
    metric: "join_ms",
    atMs: Date.parse("2026-11-29T14:12:08.561Z"),
    value: 12.5,
    tags: { region: "beijing" },
  });
  assert.deepEqual(readSample(point("players", 3, null))?.tags, {});
});

test("metrics that no report uses are not even parsed; words are no metric", () => {
  assert.equal(readSample(point("ws_msgs_received", 1, {})), undefined);
  assert.equal(readSample('{"metric":"ws_msgs_received",broken'), undefined);
  const declaration = '{"type":"Metric","data":{"name":"join_ms"},"metric":"join_ms"}';
  assert.ok(isMetricLine(declaration));
  assert.equal(readSample(declaration), undefined);
  assert.ok(!isMetricLine("  █ THRESHOLDS"));
});

test("thresholds: k6 says of each whether it was crossed; those that were come first", () => {
  const summary = {
    metrics: {
      join_ms: { avg: 12, thresholds: { "p(95)<500": false, "max<1": true } },
      checks: { thresholds: { "rate==1": false } },
      data_sent: { count: 0 },
    },
  };
  assert.deepEqual(thresholdsOf(JSON.stringify(summary)), [
    { metric: "join_ms", expression: "max<1", passed: false },
    { metric: "checks", expression: "rate==1", passed: true },
    { metric: "join_ms", expression: "p(95)<500", passed: true },
  ]);
});
