/** An evacuation through a whole core, with regions that answer as they are told to. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import pg from "pg";
import type { NodeId, RoomId } from "../../shared/ids.ts";
import { type CopyName, type MoveRoomsRequest, RoomCopy } from "../../shared/protocol/failover.ts";
import { EvacuationStatus } from "../../shared/protocol/ops-failover.ts";
import { until } from "../../test/until.ts";
import { opsCommand } from "../ops/test-ops.ts";
import { OPERATOR_TOKEN, startTestCore } from "../test-core.ts";
import { startTestRegion } from "../test-region.ts";

const core = await startTestCore();
const beijing = await startTestRegion({ core, name: "beijing" });
const shanghai = await startTestRegion({ core, name: "shanghai" });
const client = new pg.Pool({
  connectionString: core.databaseUrl,
  options: "-c search_path=meridian",
  max: 4,
});
after(async () => {
  await beijing.stop();
  await shanghai.stop();
  await client.end();
  await core.stop();
});
const ops = opsCommand(core);
const replication = { protectedRooms: 0, unprotectedRooms: 0, copies: 0, lagMs: 0 };
const tick = 100;

/** Rooms of Beijing, with copies in Shanghai but for the last one; what both nodes do is real to the database. */
async function rooms(prefix: string, count: number): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
  await client.query(
    `insert into rooms (room_id, game, region_id, node_id, epoch_term, epoch_n, claim_id, claimed_at)
     select id, 'arena', 'beijing', 'beijing-1', 1, 1, 'claim-of-' || id, now() from unnest($1::text[]) id`,
    [ids],
  );
  const copied = ids.slice(0, -1);
  const copies = copied.map((roomId) => {
    const of = { ofNode: "beijing-1", roomEpoch: [1, 1], tick };
    return RoomCopy.parse({ roomId, game: "arena", players: 2, ...of });
  });
  shanghai.copies.splice(0, shanghai.copies.length, ...copies);
  beijing.moveRooms = (request) => give(request, copied);
  shanghai.takeOver = async ({ rooms: wanted }) => ({
    taken: await Promise.all(wanted.map(take)),
    failed: [],
  });
  await beijing.beat({ connected: 2 * count, rooms: count + 1, replication });
  await shanghai.beat({ replication });
  return ids;
}

async function give({ roomIds }: MoveRoomsRequest, copied: readonly string[]) {
  const going = roomIds.filter((roomId) => copied.includes(roomId));
  await client.query(
    "update rooms set ended_at = now(), released_at = now() where room_id = any($1)",
    [going],
  );
  const to = "shanghai-1" as NodeId;
  const roomEpoch: [number, number] = [1, 1];
  return {
    moved: going.map((roomId) => ({ roomId, to, roomEpoch, tick })),
    stayed: roomIds
      .filter((roomId) => !going.includes(roomId))
      .map((roomId) => ({ roomId, why: "no standby has a copy" })),
  };
}

async function take({ roomId }: CopyName) {
  await client.query(
    `update rooms set region_id = 'shanghai', node_id = 'shanghai-1', epoch_n = epoch_n + 1,
       ended_at = null, released_at = null where room_id = $1 and ended_at is not null`,
    [roomId],
  );
  return { roomId, players: 2, tick };
}

async function api(method: string, path: string, body?: unknown) {
  const response = await fetch(core.privateUrl + path, {
    method,
    headers: {
      authorization: `Bearer ${OPERATOR_TOKEN}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    body: body === undefined ? null : JSON.stringify(body),
  });
  return await response.json();
}

const begin = (body: Record<string, unknown>) =>
  api("POST", "/ops/evacuations", { regionId: "beijing", roomsPerS: 100, ...body });
const order = (verb: string) => api("POST", `/ops/evacuations/beijing/${verb}`);

async function status(): Promise<EvacuationStatus> {
  return EvacuationStatus.parse((await api("GET", "/ops/evacuations")).evacuations[0]);
}

async function homes(ids: readonly string[]): Promise<Record<string, number>> {
  const { rows } = await client.query(
    `select node_id, count(*)::int as rooms from rooms
     where room_id = any($1) and ended_at is null group by node_id`,
    [ids],
  );
  return Object.fromEntries(rows.map((row) => [row.node_id, row.rooms]));
}

test("a dry run says what would move where and changes nothing; nobody asked is nothing done", async () => {
  const ids = await rooms("dry", 4);
  const { out } = await ops(["evacuate", "beijing", "--dry-run", "--pace", "2"]);
  assert.equal(
    out,
    "dry run: 3 rooms of beijing move with the players in them, at 2 a second: about 2 s. 8 players there now.\n" +
      "  3 rooms to shanghai-1\n  1 room without a copy: they stay\n" +
      "  1 room of plain Colyseus: they stay\nNo new players come to beijing from then on.\n",
  );
  const unasked = await ops(["evacuate", "beijing"]);
  assert.match(unasked.err, /evacuate moves or ends rooms: say --yes where nobody can be asked/);
  assert.deepEqual([beijing.drained, await homes(ids)], [[], { "beijing-1": 4 }]);
  await client.query("delete from rooms");
});

test("the region drains, its rooms move at the pace, a pause holds them, and what can't move runs on", async () => {
  const ids = await rooms("live", 7);
  const begun = await ops(["evacuate", "beijing", "--yes", "--pace", "5"]);
  assert.match(begun.out, /^beijing: evacuation running, by bootstrap, at 5 rooms a second\n/);
  assert.deepEqual(beijing.drained, ["draining"]);
  assert.equal((await beijing.heartbeat({ replication })).wanted, "draining");
  await until("a room that moved", async () => (await homes(ids))["shanghai-1"]);
  await ops(["evacuate", "beijing", "--pause"]);
  const paused = await until("nothing on the way", async () => {
    const now = await status();
    return now.moving === 0 && now;
  });
  assert.equal(paused.phase, "paused");
  const twice = await begin({});
  assert.equal(twice.error.message, "An evacuation of beijing is paused: stop it first.");
  const back = await api("POST", "/ops/regions/beijing/failback", {});
  assert.equal(back.error.kind, "conflict");
  const { moved } = await status();
  assert.equal(paused.moved, moved, "a pause holds");
  await order("resume");
  const done = await until("its end", async () => {
    const now = await status();
    return now.phase === "done" && now;
  });
  const { failed, lost, left, players } = done;
  assert.deepEqual(
    { moved: done.moved, failed, lost, left, players },
    { moved: 6, failed: 1, lost: 0, left: 0, players: 12 },
  );
  assert.deepEqual(done.errors.at(-1), { roomId: "live-6", why: "no standby has a copy" });
  assert.deepEqual(await homes(ids), { "shanghai-1": 6, "beijing-1": 1 });
  assert.match((await order("stop")).error.message, /is done already/);
  const log = await ops(["audit"]);
  assert.match(log.out, /bootstrap +evacuate +beijing +done +\{"roomsPerS":5\}/);
  assert.match(log.out, /bootstrap +pause evacuation +beijing +done/);
  assert.match(log.out, /bootstrap +evacuation over +beijing +failed +\{.*"moved":6/);
  await client.query("delete from rooms");
});

test("rooms whose owner's answer is lost are found where they are; one that no standby takes is told lost", async () => {
  await rooms("lost", 3);
  const give = beijing.moveRooms;
  let answers = 0;
  beijing.moveRooms = async (request) => {
    const answer = await give(request);
    answers += 1;
    // It has done what it was asked for; its answer does not come.
    return answers === 1 ? { ...answer, moved: "?" as unknown as typeof answer.moved } : answer;
  };
  const takeOver = shanghai.takeOver;
  const refused = "lost-1" as RoomId;
  shanghai.takeOver = async ({ rooms: wanted }) => {
    const good = wanted.filter(({ roomId }) => roomId !== refused);
    const bad = wanted.length - good.length;
    const { taken } = good.length > 0 ? await takeOver({ rooms: good }) : { taken: [] };
    return { taken, failed: bad > 0 ? [{ roomId: refused, why: "its game is not here" }] : [] };
  };
  await begin({});
  const done = await until("its end", async () => {
    const now = await status();
    return now.phase === "done" && now;
  });
  assert.deepEqual([done.moved, done.lost, done.failed], [1, 1, 1]);
  assert.match((await ops(["evacuate", "--status"])).out, /1 can't be moved and run on · 1 LOST/);
  await client.query("delete from rooms");
});

test("rooms with which their standby can't go on after all go on with another node", async () => {
  const ids = await rooms("other", 2);
  const sibling = await startTestRegion({ core, name: "shanghai", incarnation: 2 });
  await sibling.beat({ replication });
  shanghai.takeOver = async ({ rooms: wanted }) => ({
    taken: [],
    failed: wanted.map(({ roomId }) => ({ roomId, why: "no seats" })),
  });
  await begin({});
  const done = await until("its end", async () => {
    const now = await status();
    return now.phase === "done" && now;
  });
  assert.deepEqual([done.moved, done.players, done.lost, done.failed], [1, 2, 0, 1]);
  assert.deepEqual(await homes(ids), { "shanghai-2": 1, "beijing-1": 1 });
  await sibling.stop();
  await client.query("delete from rooms");
});

test("rooms whose standby has no seats for them stay where they are until it has some", async () => {
  const ids = await rooms("full", 4);
  await shanghai.beat({ replication, capacity: 1 });
  await begin({});
  const held = "its standby has no seats for it";
  await until("they are held", async () => (await status()).errors.some(({ why }) => why === held));
  assert.deepEqual([(await status()).moved, await homes(ids)], [0, { "beijing-1": 4 }]);
  await shanghai.beat({ replication });
  const done = await until("its end", async () => {
    const now = await status();
    return now.phase === "done" && now;
  });
  assert.deepEqual([done.moved, done.failed, done.lost], [3, 1, 0]);
  await client.query("delete from rooms");
});

test("one node is emptied alone, and takes players again when that is stopped; then the region comes back", async () => {
  const planned = await api("POST", "/ops/regions/beijing/failback", { dryRun: true });
  assert.deepEqual([planned.was, planned.wanted, planned.dryRun], ["draining", "active", true]);
  assert.equal((await beijing.heartbeat({ replication })).wanted, "draining");
  assert.match(
    (await ops(["failback", "beijing"])).out,
    /^beijing takes new players, .*\n.*\n {2}beijing-1: told\n$/,
  );
  assert.equal((await beijing.heartbeat({ replication })).wanted, "active");

  await rooms("node", 2);
  beijing.moveRooms = async ({ roomIds }) => ({
    moved: [],
    stayed: roomIds.map((roomId) => ({ roomId, why: "not now" })),
  });
  await begin({ nodeId: "beijing-1" });
  assert.equal((await beijing.heartbeat({ replication })).wanted, "draining");
  const { regions } = await api("GET", "/ops/status");
  assert.notEqual(regions[0].state, "draining", "the region is not drained");
  assert.equal((await order("stop")).phase, "stopped");
  assert.equal((await beijing.heartbeat({ replication })).wanted, "active");
  const unknown = await begin({ nodeId: "beijing-9" });
  assert.equal(unknown.error.message, "No node beijing-9 of beijing lives.");
});
