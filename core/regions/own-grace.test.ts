import assert from "node:assert/strict";
import { test } from "node:test";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { GRACE_MS, HEARTBEAT_PERIOD_MS } from "../../shared/protocol/link.ts";
import { until } from "../../test/until.ts";
import { startTestCore } from "../test-core.ts";
import { startTestRegion } from "../test-region.ts";
import { OwnGrace, PAUSE_MS } from "./own-grace.ts";

const TICK_MS = 250;

/** At which of the ticks silence counts, after a pause before the first. */
function countsAfter(pauseMs: number): readonly number[] {
  const deps = { log: createLog("core", "silent"), metrics: createMetrics({}) };
  const grace = new OwnGrace(deps, 0);
  const counts: number[] = [];
  for (let sinceMs = 0; sinceMs <= 2 * GRACE_MS; sinceMs += TICK_MS) {
    if (grace.isOver(pauseMs + sinceMs)) counts.push(sinceMs);
  }
  return counts;
}

test("silence counts at every tick of a core that runs, a little late too", () => {
  assert.equal(countsAfter(TICK_MS)[0], 0);
  assert.equal(countsAfter(PAUSE_MS - 1)[0], 0);
  assert.ok(
    PAUSE_MS + HEARTBEAT_PERIOD_MS < GRACE_MS,
    "nobody is silent for a grace by such a delay",
  );
});

test("after a pause nodes have one grace anew, and no more than that", () => {
  for (const pauseMs of [PAUSE_MS, 5_000, 3_600_000]) {
    const [first = Number.NaN] = countsAfter(pauseMs);
    assert.ok(first >= GRACE_MS && first < GRACE_MS + TICK_MS, `${first} ms after ${pauseMs}`);
  }
});

test("a core that was paused for longer than a grace takes nobody for down", async (t) => {
  const core = await startTestCore();
  const beijing = await startTestRegion({ core, name: "beijing" });
  t.after(async () => {
    await beijing.stop();
    await core.stop();
  });
  await beijing.beat();
  const metrics = async () => (await fetch(`${core.privateUrl}/metrics`)).text();
  // The whole thread stands still, as a process without a turn does.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, GRACE_MS + PAUSE_MS);
  await until("the core has noticed", async () =>
    /meridian_core_pauses_total\{process="core"\} [1-9]/.test(await metrics()),
  );
  assert.equal((await fetch(`${core.url}/v1/route`)).status, 200);
  assert.doesNotMatch(await metrics(), /meridian_node_changes_total\{change="nodeDown"/);
});
