/** Rooms that run here, and standbys that keep their frames, over real mutual TLS. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { schema, t } from "@colyseus/schema";
import { systemClock } from "../../shared/clock.ts";
import { GameName, RegionId, RoomId } from "../../shared/ids.ts";
import { LinkIdentity } from "../../shared/link/identity.ts";
import { TEST_REGION, TestCore } from "../link/test-core.ts";
import { GameRoom } from "../rooms/game-room.ts";
import { decodeFrame } from "../rooms/room-frame.ts";
import { applyChange, emptyImage } from "../rooms/snapshot-image.ts";
import { schemaHash } from "../rooms/snapshot-schema.ts";
import { TestNode } from "../transport/test-node.ts";
import { until } from "../transport/test-tickets.ts";
import type { Replication } from "./replication.ts";
import { inSlices } from "./slices.ts";
import { testReplication } from "./test-replication.ts";
import { TestStandby } from "./test-standby.ts";

const Purse = schema({ gold: t.number() }, "Purse");
const State = schema(
  {
    score: t.number().default(0),
    text: t.string(),
    secret: t.number().view(),
    purses: t.map(Purse).view(),
  },
  "State",
);

class Field extends GameRoom<InstanceType<typeof State>> {
  static override State = State;
  override readonly timers = { later: () => {} };
  override onTick(): void {
    this.state.score += this.random.next();
    this.state.secret = this.tick;
  }
}

const game = GameName.parse("field");
let core: TestCore;
let node: TestNode;
let replication: Replication;
const standbys: TestStandby[] = [];

before(async () => {
  core = await TestCore.start();
});
after(() => core.stop());

beforeEach(async () => {
  node = new TestNode({ games: { field: Field } });
  await node.start();
  replication = replicationOf({});
  replication.start();
});
afterEach(async () => {
  replication.stop();
  await node.stop();
  await Promise.all(standbys.splice(0).map((standby) => standby.stop()));
});

function replicationOf({ backlogBytesMax = 8_388_608, identity = core.regionIdentity }) {
  return testReplication({ nodeId: () => node.nodeId, identity, backlogBytesMax });
}

async function standbyOf(nodeId: string, limits = {}): Promise<TestStandby> {
  const regionId = RegionId.parse(nodeId.slice(0, nodeId.lastIndexOf("-")));
  const standby = new TestStandby(nodeId, await core.credentialsOf(regionId), limits);
  standbys.push(standby);
  return standby.start();
}

let versions = 0;
function name(...named: TestStandby[]): void {
  versions += 1;
  replication.hear({ version: `${versions}`, nodes: named.map(({ address }) => address) });
}

async function fieldRoom(): Promise<{ room: Field; roomId: RoomId }> {
  const room = (await node.rooms.create(game, {})) as Field;
  const roomId = RoomId.parse(room.roomId);
  replication.started(room, roomId, game);
  return { room, roomId };
}

function copyOf(standby: TestStandby, roomId: RoomId) {
  return standby.store.find({ roomId, ofNode: node.nodeId, roomEpoch: [1, 1] });
}

function whole(frame: Uint8Array) {
  const { progress, record, state } = decodeFrame(frame, schemaHash(State));
  const image = emptyImage();
  applyChange(image, state);
  return { progress, record: JSON.parse(record ?? "null"), image };
}

test("a copy is the room: state, fields of views, timers, randomness, who is in it", async () => {
  const standby = await standbyOf("other-1");
  name(standby);
  const { room, roomId } = await fieldRoom();
  room.schedule("later", 60_000, { round: 3 });
  room.state.purses.set("ada", new Purse({ gold: 3 }));
  await until(() => replication.report.protectedRooms === 1, "the copy");
  const [before] = standby.store.of(new Set([node.nodeId]));
  assert.ok(before);
  await until(() => (copyOf(standby, roomId)?.tick ?? 0) > before.tick + 3, "more frames");
  const snapshot = room.handOver();
  assert.equal(await replication.give(roomId, snapshot, 2_000), standby.nodeId);
  assert.deepEqual(standby.given, [roomId]);
  const copy = copyOf(standby, roomId);
  assert.ok(copy);
  const replica = await copy.log.replica(schemaHash(State), inSlices(systemClock));
  assert.deepEqual(whole(replica.snapshot()), whole(snapshot));
  assert.equal(copy.tick, room.tick);
});

test("frames alone bring a copy to where the room is", async () => {
  const standby = await standbyOf("other-1");
  name(standby);
  const { room, roomId } = await fieldRoom();
  await until(() => (copyOf(standby, roomId)?.log.frames ?? 0) > 10, "frames");
  const copy = copyOf(standby, roomId);
  assert.ok(copy);
  const replica = await copy.log.replica(schemaHash(State), inSlices(systemClock));
  assert.ok(replica.progress && replica.progress.tick > 8);
  assert.ok(replica.progress.tick <= room.tick);
  assert.deepEqual(whole(replica.snapshot()).record, whole(room.snapshot()).record);
});

test("the end of a room is the end of its copy; the stream's goodbye keeps the others for a while", async () => {
  const standby = await standbyOf("other-1");
  name(standby);
  const [ending, staying] = [await fieldRoom(), await fieldRoom()];
  await until(() => replication.report.protectedRooms === 2, "the copies");
  replication.ended(ending.roomId, ending.room);
  await until(() => standby.store.count === 1, "the end of one");
  replication.cut();
  await until(() => standby.sockets.every(({ destroyed }) => destroyed), "the goodbye");
  assert.ok(copyOf(standby, staying.roomId));
  assert.deepEqual(standby.gone, [], "who says goodbye is not gone");
  standby.store.expire(systemClock.monotonicMs() + 60_000);
  assert.equal(standby.store.count, 0);
  assert.equal(standby.store.heldBytes, 0);
});

test("a standby that dies is replaced, and only its rooms move", async () => {
  const all = [await standbyOf("other-1"), await standbyOf("other-2")];
  name(...all);
  const rooms = [];
  for (let n = 0; n < 6; n += 1) rooms.push(await fieldRoom());
  await until(() => replication.report.protectedRooms === 6, "the copies");
  const [dying, other] = all.sort((a, b) => b.store.count - a.store.count);
  assert.ok(dying && other && dying.store.count > 0);
  const kept = rooms.filter(({ roomId }) => copyOf(other, roomId));
  await dying.stop();
  await until(() => other.store.of(new Set([node.nodeId])).length === 6, "copies at the other");
  await until(() => replication.report.protectedRooms === 6, "the word that they are whole");
  assert.equal(other.sockets.length, kept.length > 0 ? 1 : other.sockets.length);
});

test("who is named no more keeps its copy until the next has a whole one", async () => {
  const [first, second] = [await standbyOf("other-1"), await standbyOf("other-2")];
  name(first);
  const { roomId } = await fieldRoom();
  await until(() => replication.report.protectedRooms === 1, "the copy");
  name(second);
  await until(() => copyOf(second, roomId) !== undefined, "the next copy");
  await until(() => first.store.count === 0, "the end of the first copy");
  assert.equal(replication.report.protectedRooms, 1);
});

test("a standby without a place refuses, and another one is found", async () => {
  const full = await standbyOf("other-1", { roomsMax: 0 });
  name(full);
  const { roomId } = await fieldRoom();
  await until(() => full.sockets.length > 0, "the stream");
  const free = await standbyOf("other-2");
  name(full, free);
  await until(() => replication.report.protectedRooms === 1, "the copy");
  assert.ok(copyOf(free, roomId));
});

test("copies take no more bytes than they may", async () => {
  const bytesMax = 64 * 1024;
  const standby = await standbyOf("other-1", { bytesMax });
  name(standby);
  const { room } = await fieldRoom();
  await until(() => replication.report.protectedRooms === 1, "the copy");
  room.state.text = "x".repeat(2 * bytesMax);
  await until(() => standby.store.count === 0, "the refusal");
  assert.equal(standby.store.heldBytes, 0);
  await until(() => replication.report.unprotectedRooms === 1, "the owner's word of it");
});

test("a standby that reads too slowly costs frames, no memory, and has a whole copy again", async () => {
  replication.stop();
  replication = replicationOf({ backlogBytesMax: 256 * 1024 });
  replication.start();
  const standby = await standbyOf("other-1");
  name(standby);
  const { room, roomId } = await fieldRoom();
  await until(() => replication.report.protectedRooms === 1, "the copy");
  const stream = replication.streamTo(standby.address);
  standby.sockets[0]?.pause();
  let round = 0;
  const most = { bytes: 0 };
  await until(() => {
    room.state.text = String(round++).repeat(50_000).slice(0, 200_000);
    most.bytes = Math.max(most.bytes, stream.backlogBytes);
    return replication.report.protectedRooms === 0;
  }, "a dropped frame, or the standby's silence");
  assert.ok(most.bytes < 1024 * 1024, `${most.bytes} bytes waited`);
  room.state.text = "short";
  standby.sockets[0]?.resume();
  await until(() => replication.report.protectedRooms === 1, "a whole copy again");
  const tick = room.tick;
  await until(() => (copyOf(standby, roomId)?.tick ?? 0) >= tick, "later frames");
});

test("new credentials are taken up by a new stream, and no owner is taken to be gone", async () => {
  const identity = new LinkIdentity(core.regionIdentity.current);
  replication.stop();
  replication = replicationOf({ identity });
  replication.start();
  const standby = await standbyOf("other-1");
  name(standby);
  const { roomId } = await fieldRoom();
  await until(() => replication.report.protectedRooms === 1, "the copy");
  identity.replace(await core.credentialsOf(TEST_REGION));
  await until(() => standby.sockets.length === 2, "another stream");
  await until(() => replication.report.protectedRooms === 1, "the copy on it");
  await until(() => standby.sockets[0]?.destroyed === true, "the end of the first");
  assert.ok(copyOf(standby, roomId));
  assert.deepEqual(standby.gone, []);
});

test("a stream that breaks without a goodbye is told, and copies stay", async () => {
  const standby = await standbyOf("other-1");
  name(standby);
  const { roomId } = await fieldRoom();
  await until(() => replication.report.protectedRooms === 1, "the copy");
  standby.sockets[0]?.destroy();
  await until(() => standby.gone.length > 0, "the word");
  assert.deepEqual(standby.gone[0], { nodeId: node.nodeId, linkAddress: "127.0.0.1:9" });
  assert.ok(copyOf(standby, roomId));
  await until(() => standby.sockets.length === 2, "another stream");
});
