/** The agent against a real core, and as the command that operators run. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { pino } from "pino";
import { systemClock } from "../../../shared/clock.ts";
import { MeridianError } from "../../../shared/errors.ts";
import { createMetrics } from "../../../shared/metrics.ts";
import { EvacuationsAnswer } from "../../../shared/protocol/ops-failover.ts";
import { until } from "../../../test/until.ts";
import { callOps } from "../../ops/cli-client.ts";
import { OPERATOR_TOKEN, startTestCore } from "../../test-core.ts";
import { startTestRegion } from "../../test-region.ts";
import { ScalingAgent } from "./agent.ts";
import type { NodePool, Order } from "./node-pool.ts";

const settings = { SCALING_PERIOD_MS: "50", SCALING_LEAD_MS: "0", SCALING_COOL_DOWN_MS: "200" };
const core = await startTestCore(settings);
const region = await startTestRegion({ core, name: "beijing" });
before(() => region.beat({ connected: 90 }));
after(async () => {
  await region.stop();
  await core.stop();
});
const ops = { url: core.privateUrl, token: OPERATOR_TOKEN };

function agentOf(
  pool: NodePool,
  change: { readonly url?: string; readonly regions?: string[] } = {},
) {
  const metrics = createMetrics({});
  const logged: { msg: string; kind?: string; runbook?: string }[] = [];
  const log = pino({}, { write: (line: string) => void logged.push(JSON.parse(line)) });
  const agent = new ScalingAgent({
    ops: { ...ops, ...(change.url !== undefined && { url: change.url }) },
    pool,
    dryRun: false,
    regions: change.regions,
    periodMs: 20,
    clock: systemClock,
    random: () => 0,
    log,
    metrics,
    say: () => {},
  });
  return { agent, logged, count: async () => await metrics.metrics() };
}

test("a pool that fails is asked again; each failure is counted and logged with its page", async () => {
  const orders: Order[] = [];
  let failures = 2;
  const pool: NodePool = {
    name: "flaky",
    async setNodes(order) {
      if (failures > 0) {
        failures -= 1;
        throw new MeridianError("unavailable");
      }
      orders.push(order);
    },
  };
  const { agent, logged, count } = agentOf(pool, { regions: ["beijing"] });
  agent.start();
  const [order] = await until("it is ordered", () => orders.length > 0 && orders);
  await agent.stop();
  assert.deepEqual([order?.regionId, order?.nodes], ["beijing", 2]);
  assert.match(order?.why ?? "", /^2 nodes/);
  const metrics = await count();
  const failed = 'meridian_scaling_adapter_failures_total{adapter="flaky",region="beijing"} 2';
  assert.ok(metrics.includes(failed), metrics);
  const lines = logged.filter(({ msg }) => msg === "a region could not be scaled");
  assert.deepEqual(
    lines.map(({ kind, runbook }) => [kind, runbook]),
    [
      ["unavailable", "scaling-adapter"],
      ["unavailable", "scaling-adapter"],
    ],
  );
});

test("without the core nothing is scaled", async () => {
  const pool: NodePool = { name: "idle", setNodes: () => assert.fail("scaled") };
  const { agent, logged, count } = agentOf(pool, { url: "http://127.0.0.1:1" });
  agent.start();
  await until("it was tried", () => logged.length > 1);
  await agent.stop();
  const metrics = await count();
  assert.match(metrics, /meridian_scaling_adapter_failures_total\{adapter="core",region=""\} \d/);
});

test("the command says what it would do, does nothing, and ends when told to", async () => {
  const main = join(import.meta.dirname, "main.ts");
  const child = spawn(process.execPath, [main, "--adapter", "print"], {
    env: {
      ...process.env,
      MERIDIAN_OPS_URL: ops.url,
      MERIDIAN_OPERATOR_TOKEN: ops.token,
      SCALE_PRIVATE_PORT: "0",
      SCALE_PERIOD_MS: "50",
      LOG_LEVEL: "warn",
    },
  });
  let out = "";
  child.stdout.on("data", (bytes) => {
    out += String(bytes);
  });
  await until("it says so", () => /^beijing: 1 node, 2 from now on\. 2 nodes/m.test(out));
  child.kill("SIGTERM");
  assert.deepEqual(await once(child, "exit"), [0, null]);
  const { evacuations } = await callOps(ops, {
    path: "/ops/evacuations",
    answer: EvacuationsAnswer,
  });
  assert.deepEqual(evacuations, []);
});
