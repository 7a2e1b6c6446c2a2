/** Decisions of how many nodes a region should run, as operators see them: over real heartbeats. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ScalingAnswer } from "../../shared/protocol/ops-scaling.ts";
import { until } from "../../test/until.ts";
import { OPERATOR_TOKEN, startTestCore } from "../test-core.ts";
import { startTestRegion } from "../test-region.ts";
import { callOps } from "./cli-client.ts";
import { opsCommand } from "./test-ops.ts";

const core = await startTestCore({ SCALING_PERIOD_MS: "50", SCALING_LEAD_MS: "0" });
const region = await startTestRegion({ core, name: "beijing" });
before(() => region.beat());
after(async () => {
  await region.stop();
  await core.stop();
});

async function beijing() {
  const access = { url: core.privateUrl, token: OPERATOR_TOKEN };
  const { regions, decisions } = await callOps(access, {
    path: "/ops/scaling",
    answer: ScalingAnswer,
  });
  const scaling = regions.find(({ regionId }) => regionId === "beijing");
  return { scaling, decisions };
}

test("more nodes are wanted when players come, with the reason, in numbers, metrics and words", async () => {
  await until("it was decided", async () => (await beijing()).scaling?.reason === "minimum");
  await region.beat({ connected: 90, reserved: 5 });
  await until("two are wanted", async () => (await beijing()).scaling?.wanted === 2);
  const { scaling, decisions } = await beijing();
  assert.deepEqual([scaling?.running, scaling?.players, scaling?.seatsPerNode], [1, 95, 100]);
  const [decision] = decisions.filter(({ from }) => from !== null);
  assert.deepEqual([decision?.from, decision?.to, decision?.reason], [1, 2, "load"]);
  assert.match(decision?.why ?? "", /^2 nodes: 95 play, 0 wait; at 80% of 100 seats a node they/);
  const metrics = await (await fetch(`${core.privateUrl}/metrics`)).text();
  const labels = 'region="beijing",process="core"';
  assert.ok(metrics.includes(`meridian_scaling_nodes_wanted{${labels}} 2`));
  assert.ok(metrics.includes(`meridian_scaling_nodes_running{${labels}} 1`));
  assert.match(
    metrics,
    /meridian_scaling_decisions_total\{region="beijing",reason="load",process="core"\} 1/,
  );
  const { out } = await opsCommand(core)(["scale"]);
  assert.match(out, /^beijing +2 +1 +1 to 8 +95 +0 +100 +steady/m);
  assert.match(out, /^beijing: 2 nodes, as it was: 95 play/m);
  assert.match(out, /beijing 1 → 2: 2 nodes: 95 play/);
});

test("a region that is drained is left as it is", async () => {
  const headers = {
    authorization: `Bearer ${OPERATOR_TOKEN}`,
    "content-type": "application/json",
  };
  const body = JSON.stringify({ state: "draining" });
  await fetch(`${core.privateUrl}/ops/regions/beijing/wanted`, { method: "POST", headers, body });
  await until("it is left alone", async () => (await beijing()).scaling?.reason === "left_alone");
  const { scaling } = await beijing();
  assert.equal(scaling?.wanted, 2);
  assert.match(scaling?.why ?? "", /^2 nodes, left as it is: it is drained\.$/);
});
