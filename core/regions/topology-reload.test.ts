/** A core that follows its topology file, with a real database and nodes that live. */
import assert from "node:assert/strict";
import { renameSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import pg from "pg";
import { isFailure } from "../../shared/errors.ts";
import { RegionsAnswer } from "../../shared/protocol/join.ts";
import { StatusAnswer } from "../../shared/protocol/ops.ts";
import { until } from "../../test/until.ts";
import { OPERATOR_TOKEN, startTestCore, testTopology } from "../test-core.ts";
import { startTestRegion } from "../test-region.ts";

/** Nobody knows where 127.0.0.1 is, so whoever calls from there is taken to be at the core. */
const core = await startTestCore({ GEO_OVERRIDES: "" });
const beijing = await startTestRegion({ core, name: "beijing" });
const tianjin = await startTestRegion({ core, name: "tianjin" });
after(async () => {
  await Promise.all([beijing.stop(), tianjin.stop()]);
  await core.stop();
});

const [first, second] = testTopology.regions;
assert.ok(first && second);
const third = { ...first, id: "tianjin", name: "Tianjin", neighbours: ["shanghai", "beijing"] };

/** As editors and `kubectl` do: another file takes the name. */
function write(topology: unknown): void {
  const text = typeof topology === "string" ? topology : JSON.stringify(topology);
  writeFileSync(`${core.topologyFile}.new`, text);
  renameSync(`${core.topologyFile}.new`, core.topologyFile);
}

async function status(): Promise<StatusAnswer> {
  const headers = { authorization: `Bearer ${OPERATOR_TOKEN}` };
  return StatusAnswer.parse(
    await (await fetch(`${core.privateUrl}/ops/status`, { headers })).json(),
  );
}

async function region(id: string) {
  return (await status()).regions.find(({ regionId }) => regionId === id);
}

function refusal(reason: RegExp) {
  return until(`a refusal like ${reason}`, async () => {
    const { refused } = (await status()).topology;
    return refused !== null && reason.test(refused.reason);
  });
}

async function query(sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: core.databaseUrl });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

async function metrics(): Promise<string> {
  return await (await fetch(`${core.privateUrl}/metrics`)).text();
}

test("a new region is known with the life that the database has of it", async () => {
  await assert.rejects(tianjin.heartbeat(), (error) => isFailure(error, "unknown_region"));
  const fenced = "('tianjin', 1, 4, 'fenced')";
  await query(
    `insert into meridian.regions (region_id, epoch_term, epoch_n, wanted) values ${fenced}`,
  );
  const before = (await status()).topology;
  write({ ...testTopology, regions: [first, second, third] });
  await until("the new region", () => region("tianjin"));
  const found = await region("tianjin");
  assert.deepEqual([found?.state, found?.regionEpoch], ["fenced", [1, 4]]);
  assert.deepEqual(
    found?.neighbours.map(({ regionId }) => regionId),
    ["shanghai", "beijing"],
    "as given",
  );
  const { refused, inForceSinceMs, file } = (await status()).topology;
  assert.deepEqual([refused, file], [null, core.topologyFile]);
  assert.ok(inForceSinceMs > before.inForceSinceMs);
  assert.equal((await tianjin.heartbeat()).wanted, "fenced");
});

test("a region is drained when the file says so, whatever operators say, and its nodes are told", async () => {
  await beijing.beat();
  assert.equal((await beijing.heartbeat()).wanted, "active");
  write({ ...testTopology, regions: [{ ...first, state: "draining" }, second, third] });
  await until("the plan", async () => (await beijing.heartbeat()).wanted === "draining");
  assert.equal((await region("beijing"))?.state, "draining");
  const undrain = await fetch(`${core.privateUrl}/ops/regions/beijing/wanted`, {
    method: "POST",
    headers: { authorization: `Bearer ${OPERATOR_TOKEN}`, "content-type": "application/json" },
    body: JSON.stringify({ state: "active" }),
  });
  assert.equal((await undrain.json()).wanted, "draining");
  assert.equal(beijing.drained.at(-1), "draining", "and no node is told otherwise");
});

test("whatever is wrong is refused with its path, and what is in force stays", async () => {
  const before = await status();
  write({ ...testTopology, regions: [{ ...first, latitude: 91 }] });
  await refusal(/regions\.0\.latitude: /);
  const { topology, regions } = await status();
  assert.equal(topology.inForceSinceMs, before.topology.inForceSinceMs);
  assert.equal(regions.length, 3);
  assert.match(await metrics(), /^meridian_topology_refused\{process="core"\} 1$/m);
});

/** To whoever is nowhere on the map. */
async function nearest(): Promise<string | undefined> {
  const { ranking } = RegionsAnswer.parse(await (await fetch(`${core.url}/v1/regions`)).json());
  return ranking.toSorted((a, b) => (a.roundTripMs ?? 0) - (b.roundTripMs ?? 0))[0]?.regionId;
}

test("a file that is met half-written is mended by the rest of it", async () => {
  const { name, latitude, longitude } = first;
  const text = JSON.stringify({
    core: { name, latitude, longitude },
    regions: [first, second, third],
  });
  write(text.slice(0, text.length / 2));
  await refusal(/JSON/);
  assert.equal(await nearest(), "shanghai");
  writeFileSync(core.topologyFile, text);
  await until("the whole file", async () => (await status()).topology.refused === null);
  assert.equal((await region("beijing"))?.state, "active", "the plan is another");
  assert.match(await metrics(), /^meridian_topology_refused\{process="core"\} 0$/m);
  assert.equal(await nearest(), "beijing", "who is nowhere on the map is where the core is now");
});

test("a region goes only when no node of it lives, and then without being asked again", async () => {
  await tianjin.beat();
  await query(
    `insert into meridian.rooms (room_id, game, region_id, node_id, epoch_term, epoch_n, claim_id, claimed_at)
     values ('left-open', 'arena', 'tianjin', 'tianjin-1', 1, 1, 'claim-left-open', now())`,
  );
  write({ ...testTopology, regions: [first, second] });
  await refusal(/^tianjin still has 1 live node: drain and stop it first$/);
  assert.equal((await tianjin.heartbeat()).wanted, "fenced", "it is heard as ever");
  await tianjin.stop();
  await until("the region's end", async () => (await region("tianjin")) === undefined);
  assert.equal((await status()).topology.refused, null);
  await until("the end of its rooms", async () => {
    const rows = await query("select ended_at from meridian.rooms where room_id = 'left-open'");
    return rows[0]?.ended_at;
  });
  const reloads = /^meridian_topology_reloads_total\{outcome="(\w+)",process="core"\} (\d+)$/gm;
  const counted = Object.fromEntries(
    Array.from((await metrics()).matchAll(reloads), (m) => [m[1], m[2]]),
  );
  assert.equal(counted.applied, "4");
});
