import assert from "node:assert/strict";
import { test } from "node:test";
import { type Part, startAll, stopAll } from "./lifecycle.ts";
import { createLog } from "./log.ts";

const log = createLog("test", "silent");

function recorder(calls: string[], name: string, failing?: "start" | "drain"): Part {
  const call = (phase: "start" | "drain" | "stop") => async () => {
    calls.push(`${phase} ${name}`);
    if (phase === failing) throw new Error(`${name} fails`);
  };
  return { name, start: call("start"), drain: call("drain"), stop: call("stop") };
}

test("parts start in order; all drain, then all stop, last first", async () => {
  const calls: string[] = [];
  const parts = [recorder(calls, "a"), recorder(calls, "b")];
  await startAll(parts, log);
  await stopAll(parts, log);
  assert.deepEqual(calls, ["start a", "start b", "drain b", "drain a", "stop b", "stop a"]);
});

test("when one part does not start, those before it are stopped", async () => {
  const calls: string[] = [];
  const parts = [recorder(calls, "a"), recorder(calls, "b", "start"), recorder(calls, "c")];
  await assert.rejects(startAll(parts, log), { message: "b did not start" });
  assert.deepEqual(calls, ["start a", "start b", "drain a", "stop a"]);
});

test("a part that fails to drain does not keep the others from stopping", async () => {
  const calls: string[] = [];
  await stopAll([recorder(calls, "a"), recorder(calls, "b", "drain")], log);
  assert.deepEqual(calls, ["drain b", "drain a", "stop b", "stop a"]);
});
