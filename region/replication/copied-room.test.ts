/** What there is of a room's copies while its standby changes, over real mutual TLS. */
import assert from "node:assert/strict";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { schema, t } from "@colyseus/schema";
import { systemClock } from "../../shared/clock.ts";
import { GameName, NodeId, RegionId, RoomId } from "../../shared/ids.ts";
import type { NodeAddress } from "../../shared/protocol/failover.ts";
import { TestCore } from "../link/test-core.ts";
import { GameRoom } from "../rooms/game-room.ts";
import { schemaHash } from "../rooms/snapshot-schema.ts";
import { TestNode } from "../transport/test-node.ts";
import { until } from "../transport/test-tickets.ts";
import type { Replication } from "./replication.ts";
import { inSlices } from "./slices.ts";
import { testReplication } from "./test-replication.ts";
import { TestStandby } from "./test-standby.ts";

const State = schema({ text: t.string().default("") }, "State");

class Field extends GameRoom<InstanceType<typeof State>> {
  static override State = State;
  /** Who is in it can't be told, so no frame can be made. */
  isBroken = false;

  protected override get sessionChanges(): number | undefined {
    if (this.isBroken) throw new Error("broken");
    return super.sessionChanges;
  }
}

const game = GameName.parse("field");
let core: TestCore;
let node: TestNode;
let replication: Replication;
let standbys: TestStandby[] = [];
/** Takes connections, and never says a word. */
const silent = createServer((socket) => held.push(socket));
const held: Socket[] = [];
let mute: NodeAddress;

before(async () => {
  core = await TestCore.start();
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const { port } = silent.address() as AddressInfo;
  mute = { nodeId: NodeId.parse("other-9"), linkAddress: `127.0.0.1:${port}` };
});
after(async () => {
  silent.close();
  await core.stop();
});

beforeEach(async () => {
  node = new TestNode({ games: { field: Field } });
  await node.start();
  replication = testReplication({ nodeId: () => node.nodeId, identity: core.regionIdentity });
  replication.start();
  standbys = [];
  for (const nodeId of ["other-1", "other-2"]) {
    const credentials = await core.credentialsOf(RegionId.parse("other"));
    standbys.push(await new TestStandby(nodeId, credentials).start());
  }
});
afterEach(async () => {
  replication.stop();
  await node.stop();
  for (const socket of held.splice(0)) socket.destroy();
  await Promise.all(standbys.map((standby) => standby.stop()));
});

let versions = 0;
function name(...nodes: NodeAddress[]): void {
  versions += 1;
  replication.hear({ version: `${versions}`, nodes });
}

/** One that the first standby has whole. */
async function fieldRoom(): Promise<Field> {
  const [first] = standbys;
  assert.ok(first);
  name(first.address);
  const room = (await node.rooms.create(game, {})) as Field;
  replication.started(room, RoomId.parse(room.roomId), game);
  await until(() => replication.report.protectedRooms === 1, "the copy");
  return room;
}

function tickAt(standby: TestStandby | undefined): number {
  const [copy] = standby?.store.of(new Set([node.nodeId])) ?? [];
  return copy?.tick ?? -1;
}

test("as long as the next standby has no copy, the former one gets every frame", async () => {
  const room = await fieldRoom();
  const [first, second] = standbys;
  name(mute);
  const { tick } = room;
  // Longer than a stream may take to be opened.
  await until(() => tickAt(first) > tick + 25, "1.25 s of frames");
  assert.equal(replication.report.protectedRooms, 1);
  assert.equal(replication.standbyOf(RoomId.parse(room.roomId)), undefined);
  assert.ok(second);
  name(second.address);
  await until(() => first?.store.count === 0, "the end of the former copy");
  assert.ok(tickAt(second) > tick);
  assert.equal(replication.report.protectedRooms, 1);
});

test("a former standby that is named again goes on with its copy, on the stream that there is", async () => {
  const room = await fieldRoom();
  const [first] = standbys;
  assert.ok(first);
  name(mute);
  name(first.address);
  assert.equal(replication.standbyOf(RoomId.parse(room.roomId)), first.nodeId);
  const { tick } = room;
  await until(() => tickAt(first) > tick, "later frames");
  assert.equal(first.sockets.length, 1);
});

test("the copy of a former standby that dies is not counted on", async () => {
  await fieldRoom();
  const [first, second] = standbys;
  name(mute);
  assert.equal(replication.report.protectedRooms, 1);
  await first?.stop();
  await until(() => replication.report.unprotectedRooms === 1, "the word that there is none");
  assert.ok(second);
  name(second.address);
  await until(() => replication.report.protectedRooms === 1, "the next copy");
});

test("a room of which no frame can be made is unprotected, its copy stays, and the next frame has all", async () => {
  const room = await fieldRoom();
  const [first] = standbys;
  room.isBroken = true;
  room.state.text = "changed while no frame could be made";
  await until(() => replication.report.unprotectedRooms === 1, "the word of it");
  const { tick } = room;
  name(mute);
  assert.ok(tickAt(first) >= 0, "the copy of before");
  room.isBroken = false;
  await until(() => tickAt(first) > tick, "frames again");
  await until(() => replication.report.protectedRooms === 1, "the word of it");
  const [copy] = first?.store.of(new Set([node.nodeId])) ?? [];
  assert.ok(copy);
  const kept = first?.store.find(copy)?.log;

  const replica = await kept?.replica(schemaHash(State), inSlices(systemClock));
  assert.match(String(Buffer.from(replica?.snapshot() ?? [])), /changed while no frame/);
});
