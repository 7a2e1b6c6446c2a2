/** A node dies: its rooms go on where their copies are, and players who ask meanwhile wait for the answer. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { decodeJwt } from "jose";
import pg from "pg";
import { isFailure } from "../../shared/errors.ts";
import { RegionId } from "../../shared/ids.ts";
import { RoomCopy } from "../../shared/protocol/failover.ts";
import { JoinAnswer } from "../../shared/protocol/join.ts";
import { Done } from "../../shared/protocol/link.ts";
import { TicketClaims } from "../../shared/protocol/ticket.ts";
import { until } from "../../test/until.ts";
import { createTestDatabase } from "../db/test-database.ts";
import { startTestCore, type TestCore } from "../test-core.ts";
import { startTestRegion, type TestRegion } from "../test-region.ts";

const created = await createTestDatabase();
const db = new pg.Client({ connectionString: created.url });
await db.connect();
const env = {
  DATABASE_URL: created.url,
  MASTER_KEY: Buffer.alloc(32, 7).toString("base64"),
  DETECTOR_LOOK_AFTER_MS: "900",
};
let core = await startTestCore(env);
const copying = {
  replication: { protectedRooms: 0, unprotectedRooms: 0, copies: 0, lagMs: 0 },
  standbysVersion: "",
};
const shanghai = await startTestRegion({ core, name: "shanghai" });
await shanghai.beat(copying);
const passing = shanghai.takeOver;
let incarnation = 0;
const started: TestRegion[] = [shanghai];
after(async () => {
  for (const region of started) await region.stop().catch(() => undefined);
  await core.stop();
  await db.end();
  await created.drop();
});

/** Another life of Beijing's node, with these rooms; Shanghai has copies of those that are named first. */
async function beijingWith(rooms: readonly string[], copied: readonly string[], on = core) {
  incarnation += 1;
  const beijing = await startTestRegion({ core: on, name: "beijing", incarnation });
  started.push(beijing);
  await beijing.beat(copying);
  for (const roomId of rooms) {
    const { roomEpoch } = await beijing.claim(roomId);
    if (!copied.includes(roomId)) continue;
    const copy = { roomId, game: "arena", ofNode: beijing.nodeId, roomEpoch, tick: 7, players: 1 };
    shanghai.copies.push(RoomCopy.parse(copy));
  }
  return beijing;
}

async function post(on: TestCore, path: string, body: unknown, token?: string) {
  const authorization = token ? { authorization: `Bearer ${token}` } : {};
  const response = await fetch(on.url + path, {
    method: "POST",
    headers: { "content-type": "application/json", ...authorization },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

/** Somebody who plays in that room in Beijing. @returns what they ask the core when the connection breaks */
async function playerIn(beijing: TestRegion, roomId: string, on = core) {
  beijing.grant = async (request) => ({
    ...beijing.granted(request),
    roomId: RoomCopy.shape.roomId.parse(roomId),
  });
  const token = (await post(on, "/v1/guests", { name: "Ada" })).body.accessToken;
  const join = { game: "arena", protocol: 1, region: "beijing" };
  const answer = JoinAnswer.parse((await post(on, "/v1/join", join, token)).body);
  const { reconnectionToken } = TicketClaims.parse(decodeJwt(answer.ticket));
  return { roomId, reconnectionToken, protocol: 1 };
}

async function metric(line: string): Promise<number> {
  const text = await (await fetch(`${core.privateUrl}/metrics`)).text();
  return Number(
    text
      .split("\n")
      .find((one) => one.startsWith(line))
      ?.split(" ")
      .at(-1) ?? 0,
  );
}

async function lifeOfBeijing(): Promise<[number, string]> {
  const sql = "select epoch_n, wanted from meridian.regions where region_id = 'beijing'";
  const [row] = (await db.query(sql)).rows;
  return [Number(row.epoch_n), row.wanted];
}

async function nodeOf(roomId: string) {
  const sql =
    "select node_id, epoch_n, ended_at, released_at from meridian.rooms where room_id = $1";
  return (await db.query(sql, [roomId])).rows[0];
}

test("a node that is killed: rooms with a copy go on at once, whoever asks is led there", async () => {
  const beijing = await beijingWith(["room-a", "room-b"], ["room-a"]);
  const [ada, ben] = [await playerIn(beijing, "room-a"), await playerIn(beijing, "room-b")];
  await beijing.stop();
  const [back, lost] = await Promise.all([
    post(core, "/v1/reconnect", ada),
    post(core, "/v1/reconnect", ben),
  ]);
  const answer = JoinAnswer.parse(back.body);
  assert.deepEqual([answer.regionId, answer.reservation.roomId], ["shanghai", "room-a"]);
  assert.equal(lost.body.error?.kind, "room_not_found", "nobody has a copy of that one");
  const row = await nodeOf("room-a");
  assert.deepEqual([row.node_id, Number(row.epoch_n), row.ended_at], ["shanghai-1", 2, null]);
  const fences = await db.query("select node_id, because from meridian.fenced_nodes");
  assert.deepEqual(fences.rows, [{ node_id: "beijing-1", because: "refused" }]);
});

test("a fenced node gets nothing more, also from the next core", async () => {
  const ghost = await startTestRegion({ core, name: "beijing", incarnation: 1 });
  started.push(ghost);
  await assert.rejects(ghost.heartbeat(), (error) => isFailure(error, "stale_incarnation"));
  await assert.rejects(ghost.claim("room-z"), (error) => isFailure(error, "fenced"));
});

test("a copy that everybody refuses for good goes to nobody; the region's next life takes new players", async () => {
  const beijing = await beijingWith(["room-c"], ["room-c"]);
  const ada = await playerIn(beijing, "room-c");
  const [epoch] = await lifeOfBeijing();
  shanghai.takeOver = async ({ rooms }) => {
    const failed = rooms.map(({ roomId }) => ({ roomId, why: "its game is not here" }));
    return { taken: [], failed };
  };
  await beijing.stop();
  const lost = await post(core, "/v1/reconnect", ada);
  assert.equal(lost.body.error?.kind, "room_not_found");
  assert.equal((await nodeOf("room-c")).released_at, null);
  assert.deepEqual(await lifeOfBeijing(), [epoch + 1, "active"], "nothing was left of its life");
});

test("by hand: a dry run tells what would be done, then nodes that live are ended", async () => {
  const beijing = await beijingWith(["room-d", "room-e"], ["room-d"]);
  shanghai.takeOver = passing;
  const target = { regionId: RegionId.parse("beijing") };
  const plan = {
    nodes: [beijing.nodeId],
    rooms: 2,
    players: 0,
    protectedRooms: 1,
    unprotectedRooms: 1,
    targets: [{ nodeId: "shanghai-1", rooms: 1 }],
  };
  const planned = await core.failovers.failover(target, { dryRun: true });
  assert.deepEqual(planned, { ...plan, done: false });
  assert.equal((await nodeOf("room-d")).node_id, beijing.nodeId);
  const done = await core.failovers.failover(target, { dryRun: false });
  assert.deepEqual(done, { ...plan, done: true });
  assert.equal((await nodeOf("room-d")).node_id, "shanghai-1");
  await assert.rejects(beijing.heartbeat(), (error) => isFailure(error, "stale_incarnation"));
  await beijing.stop();
});

test("evidence counts for its certificate's region, and of a node at the address that is known", async () => {
  const beijing = await beijingWith(["room-h"], ["room-h"]);
  const about = { nodeId: beijing.nodeId, linkAddress: beijing.firstHeartbeat().linkAddress };
  const tell = (by: TestRegion, nodeId: string, address = about.linkAddress, saw = "refused") =>
    by.client.call({
      address: core.linkAddress,
      peer: { role: "core" },
      path: "/link/evidence",
      body: { nodeId, about: { ...about, linkAddress: address }, saw },
      answer: Done,
      deadlineMs: 5_000,
    });
  await assert.rejects(tell(shanghai, beijing.nodeId), (error) => isFailure(error, "forbidden"));
  const answers = tell(shanghai, shanghai.nodeId, about.linkAddress, "answers");
  await assert.rejects(answers, (error) => isFailure(error, "bad_request"));
  const witnessed = () => metric('meridian_failover_looks_total{by="witness",saw="refused"');
  const before = await witnessed();
  await tell(shanghai, shanghai.nodeId, "127.0.0.1:1");
  await tell(shanghai, shanghai.nodeId);
  assert.equal(await witnessed(), before + 1);
  // The core looks for itself, and gets an answer: one who says so is no proof.
  await until("the core looked", async () => {
    return (await metric('meridian_failover_looks_total{by="core",saw="answers"')) > 0;
  });
  assert.equal((await nodeOf("room-h")).node_id, beijing.nodeId);
  await beijing.stop();
  await until("its room has moved", async () => (await nodeOf("room-h")).node_id === "shanghai-1");
});

test("a failover that was under way when the core died is finished by the next one", async () => {
  const beijing = await beijingWith(["room-f", "room-g"], ["room-f"]);
  const ada = await playerIn(beijing, "room-f");
  const before = shanghai.tookOver.length;
  shanghai.takeOver = async () => ({ taken: [], failed: [] });
  await beijing.stop();
  await until("it is asked to go on", () => shanghai.tookOver.length > before);
  const { authority } = core;
  await core.stop();
  assert.ok((await nodeOf("room-f")).released_at, "on its way still");

  core = await startTestCore({ ...env, CORE_LINK_PORT: portOf(core.linkAddress) }, authority);
  shanghai.takeOver = passing;
  await shanghai.beat(copying);
  const answer = JoinAnswer.parse((await post(core, "/v1/reconnect", ada)).body);
  assert.deepEqual([answer.regionId, answer.reservation.roomId], ["shanghai", "room-f"]);
  await until("the room without a copy is given up", async () => {
    return (await nodeOf("room-g")).released_at === null;
  });
  await assert.rejects(beijing.heartbeat());
  const ghost = await startTestRegion({ core, name: "beijing", incarnation });
  started.push(ghost);
  await assert.rejects(ghost.heartbeat(), (error) => isFailure(error, "stale_incarnation"));
});

test("a node that answers others is isolated, not fenced, and comes back by its heartbeats", async () => {
  const beijing = await startTestRegion({ core, name: "beijing", incarnation: incarnation + 1 });
  started.push(beijing);
  await beijing.heartbeat(copying);
  await beijing.claim("room-i");
  const state = async () => {
    const answer = await fetch(`${core.url}/v1/route?explain=1`);
    const { ranking } = (await answer.json()) as { ranking: { regionId: string; state: string }[] };
    return ranking.find(({ regionId }) => regionId === "beijing")?.state;
  };
  await until("it is isolated", async () => (await state()) === "isolated");
  await beijing.beat({ ...copying, relayed: true });
  await beijing.claim("room-j");
  assert.equal(await state(), "isolated", "heard through another region, it takes no players");
  assert.equal((await nodeOf("room-i")).node_id, beijing.nodeId);
  await beijing.beat(copying);
  await until("it takes players again", async () => (await state()) === "active");
});

function portOf(address: string): string {
  return address.slice(address.lastIndexOf(":") + 1);
}
