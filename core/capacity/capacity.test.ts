/** Measured limits, with a real core: stored, audited, used by admission at once and after a restart. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, test } from "node:test";
import type { z } from "zod";
import { AuditAnswer, AuditContent } from "../../shared/protocol/audit.ts";
import { JoinOutcome } from "../../shared/protocol/join.ts";
import { QueueStatusAnswer, StatusAnswer } from "../../shared/protocol/ops.ts";
import {
  CapacitiesAnswer,
  CapacityAnswer,
  LiftAnswer,
} from "../../shared/protocol/ops-capacity.ts";
import { until } from "../../test/until.ts";
import { playersApi } from "../admission/players-api.testkit.ts";
import { createMigratedDatabase } from "../db/test-database.ts";
import { callOps } from "../ops/cli-client.ts";
import { opsCommand } from "../ops/test-ops.ts";
import { OPERATOR_TOKEN, startTestCore } from "../test-core.ts";
import { startTestRegion } from "../test-region.ts";

const created = await createMigratedDatabase();
const env = { DATABASE_URL: created.url, MASTER_KEY: randomBytes(32).toString("base64") };
let core = await startTestCore(env);
let region = await startTestRegion({ core, name: "shanghai" });
await region.beat({ connected: 40 });
await until("the queue has looked at the region", async () => (await seats())?.limit === 100);
after(async () => {
  await region.stop();
  await core.stop();
  await created.drop();
});

const path = "/ops/regions/shanghai/capacity";
const measured = {
  playersPerNode: 60,
  build: "test",
  measuredAt: "2026-01-01T00:00:00Z",
  hardware: "2 cores, 4 GiB",
  serviceLevel: "join p95 1 s, no failures",
  evidence: "https://reports.test/7",
};

function ask<T>(path: string, answer: z.ZodType<T>, body?: unknown): Promise<T> {
  const method = body === undefined ? "GET" : "POST";
  return callOps(
    { url: core.privateUrl, token: OPERATOR_TOKEN },
    { method, path, answer, ...(body !== undefined && { body }) },
  );
}
const store = (change: object = {}) => ask(path, CapacityAnswer, { ...measured, ...change });

async function seats() {
  const { regions } = await ask("/ops/queue", QueueStatusAnswer);
  return regions.find(({ regionId }) => regionId === "shanghai")?.seats;
}

async function node() {
  const { regions } = await ask("/ops/status", StatusAnswer);
  return regions.find(({ regionId }) => regionId === "shanghai")?.nodes[0];
}

async function audited() {
  const { rows } = await ask("/ops/audit?last=20", AuditAnswer);
  return rows
    .map(({ content }) => AuditContent.parse(JSON.parse(content)))
    .filter(({ action }) => action === "store capacity");
}

test("a dry run stores nothing, is on record, and says what would be", async () => {
  const answer = await store({ dryRun: true });
  assert.equal(answer.dryRun, true);
  const { nodeId } = region;
  assert.deepEqual(answer.nodes, [
    { nodeId, build: "test", before: 100, after: 51, taken: 40 } as (typeof answer.nodes)[0],
  ]);
  assert.deepEqual((await ask("/ops/capacity", CapacitiesAnswer)).limits, []);
  assert.equal((await seats())?.limit, 100);
  assert.deepEqual(
    (await audited()).map((row) => [row.dryRun, row.outcome]),
    [[true, "done"]],
  );
});

test("what was measured is what admission gives, less the margin", async () => {
  assert.equal((await store()).seatsPerNode, 51);
  await until("admission knows", async () => (await seats())?.limit === 51);
  assert.deepEqual(await seats(), { free: 11, forEveryone: 11, limit: 51 });
  const [row] = (await audited()).filter(({ dryRun }) => !dryRun);
  assert.equal(row?.outcome, "done");
  assert.equal(row?.details.playersPerNode, 60);
  const shown = await node();
  assert.deepEqual([shown?.capacity, shown?.offered, shown?.limit], [100, 51, "measured"]);
});

test("while a load test looks for the next limit this one does not count, for a bounded time", async () => {
  const lift = (forS: number) => ask(`${path}/lift`, LiftAnswer, { forS });
  const offered = async () => (await node())?.offered;
  assert.notEqual((await lift(600)).liftedUntil, null);
  assert.equal(await offered(), 100);
  const { lifted } = await ask("/ops/capacity", CapacitiesAnswer);
  assert.deepEqual(
    lifted.map(({ regionId }) => regionId),
    ["shanghai"],
  );
  assert.match(
    (await opsCommand(core)(["capacity"])).out,
    /shanghai: its limits don't count until/,
  );
  assert.equal((await lift(0)).liftedUntil, null);
  assert.equal(await offered(), 51);
  await lift(1);
  await until("it counts again by itself", async () => (await offered()) === 51);
  await assert.rejects(lift(3_601), { kind: "bad_request" });
});

test("who plays above a limit plays on, and the next ones wait", async () => {
  await region.beat({ connected: 51 });
  const { post, newGuest } = playersApi(() => core.url);
  const guest = await newGuest();
  const wish = { game: "arena", protocol: 1, mayQueue: true };
  const { body } = await post("/v1/join", wish, guest.accessToken);
  assert.ok("queue" in JoinOutcome.parse(body));
  await store({ playersPerNode: 20, measuredAt: "2026-01-02T00:00:00Z" });
  await until("admission knows", async () => (await seats())?.limit === 17);
  assert.equal((await seats())?.free, 0);
  assert.deepEqual(region.evicted, []);
});

test("a core that starts reads the limits before it admits, and a build that nobody measured is flagged", async () => {
  await region.stop();
  const { authority } = core;
  await core.stop();
  core = await startTestCore(env, authority);
  region = await startTestRegion({ core, name: "shanghai", incarnation: 2 });
  await region.beat({ build: "newer" });
  assert.equal((await node())?.offered, 17, "the last limit goes on to count");
  assert.equal((await node())?.limit, "unmeasured_build");
  const { flags, limits } = await ask("/ops/capacity", CapacitiesAnswer);
  assert.deepEqual(
    flags.map(({ build, nodes, measuredBuild }) => [build, nodes, measuredBuild]),
    [["newer", 1, "test"]],
  );
  assert.deepEqual(
    limits.map(({ playersPerNode, current }) => [playersPerNode, current]),
    [
      [20, true],
      [60, false],
    ],
  );
  const metrics = await (await fetch(`${core.privateUrl}/metrics`)).text();
  assert.match(metrics, /meridian_capacity_unmeasured_nodes\{region="shanghai",process="core"\} 1/);
  assert.match(
    metrics,
    /meridian_capacity_players_per_node\{region="shanghai",process="core"\} 20/,
  );
  await store({ build: "newer", measuredAt: new Date().toISOString() });
  assert.deepEqual((await ask("/ops/capacity", CapacitiesAnswer)).flags, []);
});

test("a time to come, a region that is not there and no players at all are refused", async () => {
  await assert.rejects(store({ measuredAt: "2100-01-01T00:00:00Z" }), { kind: "bad_request" });
  await assert.rejects(store({ playersPerNode: 0 }), { kind: "bad_request" });
  await assert.rejects(ask("/ops/regions/nowhere/capacity", CapacityAnswer, measured), {
    kind: "not_found",
  });
});

test("the command shows limits, and stores one", async () => {
  const ops = opsCommand(core);
  const words = ["capacity", "set", "shanghai", "--players", "70", "--build", "newest"];
  const rest = ["--hardware", "4 cores", "--level", "join p95 1 s"];
  const [stored, wrong] = await Promise.all([
    ops([...words, ...rest]),
    ops(["capacity", "set", "shanghai"]),
  ]);
  assert.match(stored.out, /admission gives 59 seats/);
  assert.match(wrong.err, /needs --players N/);
  const { out } = await ops(["capacity"]);
  assert.match(out, /^shanghai +70 +59 +newest .* yes +4 cores +join p95 1 s +-/m);
});
