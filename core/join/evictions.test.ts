/** A session that is to end does end, whatever happens to it at that moment. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, test } from "node:test";
import { FakeClock } from "../../shared/fake-clock.ts";
import { NodeId, PlayerId, RegionId, RoomId, SessionId, uuidV7 } from "../../shared/ids.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { RELEASED_ROOM_MS } from "../../shared/protocol/link.ts";
import { until } from "../../test/until.ts";
import { insertPlayer } from "../accounts/account-store.ts";
import type { Tx } from "../db/database.ts";
import { startTestDatabase } from "../db/test-database.ts";
import { endRooms } from "../regions/region-store.ts";
import type { NodeRecord } from "../regions/registry-step.ts";
import { isPending } from "./eviction-store.ts";
import { Evictions, type EvictionsDeps } from "./evictions.ts";
import { clearSessions, grantSessionEpoch, placeSession } from "./session-store.ts";

const created = await startTestDatabase();
after(() => created.drop());
const { database } = created;
const clock = new FakeClock();
const [FIRST, NEXT] = [NodeId.parse("shanghai-1"), NodeId.parse("shanghai-2")];
const live = new Set<NodeId>([FIRST]);
const told: { nodeId: NodeId; sessionId: SessionId }[] = [];
const deps: Omit<EvictionsDeps, "metrics"> = {
  database,
  calls: {
    evict: async ({ nodeId }, { sessionId }) => {
      told.push({ nodeId, sessionId });
    },
  },
  liveNode: (nodeId) => (live.has(nodeId) ? ({ nodeId, alive: true } as NodeRecord) : undefined),
  clock,
  log: createLog("test", "silent"),
};
const evictions = new Evictions({ ...deps, metrics: createMetrics({}) });

async function newPlayer(): Promise<PlayerId> {
  const id = PlayerId.parse(uuidV7(clock.nowMs(), randomBytes(10)));
  const createdAt = new Date(clock.nowMs());
  await insertPlayer(database, { id, name: "Ada", ephemeral: false, createdAt });
  return id;
}

/** @returns the session, if it got its place */
async function join(playerId: PlayerId, roomId: RoomId): Promise<SessionId | undefined> {
  const now = new Date(clock.nowMs());
  const granted = await grantSessionEpoch(database, playerId, 1, now);
  if (!granted) return undefined;
  const sessionId = SessionId.parse(randomBytes(16).toString("base64url"));
  const regionId = RegionId.parse("shanghai");
  const seat = { playerId, epoch: granted.epoch, regionId, nodeId: FIRST, roomId, sessionId };
  return (await placeSession(database, { ...seat, game: "arena" }, now)) ? sessionId : undefined;
}

const order = (playerId: PlayerId) => (tx: Tx) =>
  evictions.order(tx, playerId, "banned", "infinity");

/** Does `meanwhile` after the first statement, unless that makes it wait for this transaction. */
function interrupted(tx: Tx, meanwhile: () => Promise<unknown>): Tx {
  let first = true;
  const then = async <T>(result: T): Promise<T> => {
    if (!first) return result;
    first = false;
    let done = false;
    void meanwhile().finally(() => {
      done = true;
    });
    await until("its end, or a lock that it waits for", async () => done || (await waits()));
    return result;
  };
  return {
    inTransaction: true,
    rows: async (...statement) => then(await tx.rows(...statement)) as never,
    run: async (...statement) => then(await tx.run(...statement)),
  };
}

async function waits(): Promise<boolean> {
  return (await database.rows("select from pg_locks where not granted")).length > 0;
}

test("a first join that comes in the middle of a ban is ended, or does not get its place", async () => {
  const playerId = await newPlayer();
  let joining: Promise<SessionId | undefined> | undefined;
  const ended = await database.transaction((tx) => {
    const meanwhile = () => {
      joining = join(playerId, RoomId.parse("room-first"));
      return joining;
    };
    return order(playerId)(interrupted(tx, meanwhile));
  });
  assert.equal(await joining, ended, "a session that has a place is known to the ban");
});

/** The room of the former life, at `nodeId` now; on its way while it was released only. */
async function moveRoom(roomId: RoomId, nodeId: NodeId, released: boolean): Promise<void> {
  const endedAt = released ? new Date(clock.nowMs()) : null;
  await database.run(
    `insert into rooms (room_id, game, region_id, node_id, epoch_term, epoch_n, claim_id, claimed_at,
       ended_at, released_at)
     values ($1, 'arena', 'shanghai', $2, 1, 1, $3, $4, $5, $5)
     on conflict (room_id) do update set node_id = $2, ended_at = $5, released_at = $5`,
    [roomId, nodeId, randomBytes(8).toString("hex"), new Date(clock.nowMs()), endedAt],
  );
}

test("a session is ended where its room is now, and not while that is on its way", async () => {
  told.length = 0;
  const playerId = await newPlayer();
  const roomId = RoomId.parse("room-moving");
  const sessionId = await join(playerId, roomId);
  assert.ok(sessionId);
  await moveRoom(roomId, FIRST, true);
  await database.transaction(order(playerId));
  assert.equal(await evictions.carryOut(sessionId), false, "the next owner would not know");
  await moveRoom(roomId, NEXT, false);
  live.delete(FIRST);
  live.add(NEXT);
  assert.equal(await evictions.carryOut(sessionId), true);
  assert.deepEqual(told, [{ nodeId: NEXT, sessionId }]);
});

test("a session of a room that nobody claimed is ended where it was", async () => {
  told.length = 0;
  live.add(FIRST);
  const playerId = await newPlayer();
  const roomId = RoomId.parse("room-left-behind");
  const sessionId = await join(playerId, roomId);
  assert.ok(sessionId);
  await moveRoom(roomId, FIRST, true);
  await database.transaction(order(playerId));
  clock.advance(RELEASED_ROOM_MS + 1);
  assert.equal(await evictions.carryOut(sessionId), true);
  assert.deepEqual(told, [{ nodeId: FIRST, sessionId }]);
});

/** Joins twice, in rooms of that name at `FIRST`. @returns the former session */
async function joinTwice(playerId: PlayerId, room: string): Promise<SessionId> {
  const former = await join(playerId, RoomId.parse(`${room}-former`));
  assert.ok(former);
  assert.ok(await join(playerId, RoomId.parse(`${room}-newer`)));
  return former;
}

/** Evictions as another core would carry them out. */
function restarted(): Evictions {
  return new Evictions({ ...deps, metrics: createMetrics({}) });
}

test("a former session is told to end also by a core that was restarted meanwhile", async () => {
  told.length = 0;
  const former = await joinTwice(await newPlayer(), "restart");
  restarted().carryOutSoon();
  await until("its node is told", () => told.some(({ sessionId }) => sessionId === former));
  await until("it is noted", async () => !(await isPending(database, former)));
});

test("a former session at a node that is cut off ends when that is back", async () => {
  told.length = 0;
  const former = await joinTwice(await newPlayer(), "cut-off");
  live.delete(FIRST);
  assert.equal(await evictions.carryOut(former), false);
  clock.advance(60_000);
  assert.equal(await evictions.carryOut(former), false, "it may be alive still");
  live.add(FIRST);
  assert.equal(await evictions.carryOut(former), true);
  assert.deepEqual(told, [{ nodeId: FIRST, sessionId: former }]);
});

test("a former session whose node is gone with its room is not told of for long", async () => {
  const playerId = await newPlayer();
  const roomId = RoomId.parse("room-of-the-dead");
  await moveRoom(roomId, FIRST, false);
  const former = await join(playerId, roomId);
  assert.ok(former && (await join(playerId, RoomId.parse("room-of-the-living"))));
  live.delete(FIRST);
  assert.equal(await evictions.carryOut(former), false);
  await endRooms(database, [{ nodeId: FIRST, roomId }], new Date(clock.nowMs()));
  assert.equal(await evictions.carryOut(former), true);
  live.add(FIRST);
});

test("a former session in a room that moves ends at the room's next owner", async () => {
  told.length = 0;
  const playerId = await newPlayer();
  const roomId = RoomId.parse("room-on-its-way");
  const former = await join(playerId, roomId);
  assert.ok(former);
  await moveRoom(roomId, FIRST, true);
  assert.ok(await join(playerId, RoomId.parse("room-elsewhere")));
  assert.equal(await evictions.carryOut(former), false);
  live.add(NEXT);
  await moveRoom(roomId, NEXT, false);
  assert.equal(await evictions.carryOut(former), true);
  assert.deepEqual(told, [{ nodeId: NEXT, sessionId: former }]);
});

test("a ban that comes while a former session still is to end ends both", async () => {
  told.length = 0;
  const playerId = await newPlayer();
  const former = await joinTwice(playerId, "ban");
  const newer = await database.transaction(order(playerId));
  assert.ok(newer && newer !== former);
  assert.equal(await evictions.carryOut(newer), true);
  assert.equal(await evictions.carryOut(former), true);
  assert.deepEqual(
    told.map(({ sessionId }) => sessionId),
    [newer, former],
  );
});

test("a former session that is over costs the next join nothing", async () => {
  const playerId = await newPlayer();
  const first = await join(playerId, RoomId.parse("room-left"));
  assert.ok(first);
  await clearSessions(database, [{ playerId, sessionId: first }], new Date(clock.nowMs()));
  const ended = RoomId.parse("room-ended");
  await moveRoom(ended, FIRST, false);
  const second = await join(playerId, ended);
  assert.ok(second);
  await endRooms(database, [{ nodeId: FIRST, roomId: ended }], new Date(clock.nowMs()));
  const third = await join(playerId, RoomId.parse("room-third"));
  assert.ok(third);
  for (const sessionId of [first, second])
    assert.equal(await isPending(database, sessionId), false);
  // Told late: the player has a newer session by now, which stays known.
  await clearSessions(database, [{ playerId, sessionId: second }], new Date(clock.nowMs()));
  assert.equal(await database.transaction(order(playerId)), third);
});

test("of joins that race the newest is left, and all before it are to end", async () => {
  const playerId = await newPlayer();
  const rooms = Array.from({ length: 8 }, (_, n) => RoomId.parse(`race-${n}`));
  const placed = (await Promise.all(rooms.map((room) => join(playerId, room)))).filter(Boolean);
  const pending = await Promise.all(
    placed.map(async (id) => ((await isPending(database, id as SessionId)) ? id : undefined)),
  );
  const left = placed.filter((id) => !pending.includes(id));
  assert.equal(left.length, 1, "one session is the player's");
  assert.deepEqual(await database.transaction(order(playerId)), left[0]);
});
