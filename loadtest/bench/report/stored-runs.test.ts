import assert from "node:assert/strict";
import { test } from "node:test";
import { StoredRuns, storedText, withRun } from "./stored-runs.ts";

const names = ["rooms", "join"];
const run = (figures: Record<string, unknown>) => ({
  date: "2026-11-29",
  commit: "0123456",
  withChanges: false,
  machine: { cpu: "any", cores: 2, memoryGib: 4, kernel: "Linux 6.1", node: "22.18.0" },
  quick: true,
  tookS: 3,
  figures,
});

test("a run replaces the former one of its benchmark, in the benchmarks' order, and is read as it was written", () => {
  const first = withRun({}, { name: "join", run: run({ ratio: 1 }), names });
  const second = withRun(first, { name: "rooms", run: run({ cpu: Number.NaN }), names });
  const third = withRun(second, { name: "join", run: run({ ratio: 2 }), names });
  assert.deepEqual(Object.keys(third), names);
  assert.deepEqual(third.join?.figures, { ratio: 2 });
  assert.deepEqual(third.rooms?.figures, { cpu: null }, "what is no number in JSON");
  assert.deepEqual(StoredRuns.parse(JSON.parse(storedText(third))), third);
});

test("runs of benchmarks that are no more are dropped, and anything else is refused", () => {
  const gone = withRun({}, { name: "old", run: run({}), names: ["old"] });
  assert.deepEqual(Object.keys(withRun(gone, { name: "join", run: run({}), names })), ["join"]);
  assert.throws(() => StoredRuns.parse({ join: { ...run({}), tookS: "long" } }));
});
