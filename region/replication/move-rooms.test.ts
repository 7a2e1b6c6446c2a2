/** Rooms that were to move, and could not: they go on where they were. Their moving is in test/replication. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { schema, t } from "@colyseus/schema";
import { systemClock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import { NodeId, type RoomId } from "../../shared/ids.ts";
import { createLog } from "../../shared/log.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { GameRoom } from "../rooms/game-room.ts";
import { TestNode } from "../transport/test-node.ts";
import { until } from "../transport/test-tickets.ts";
import { MoveRooms } from "./move-rooms.ts";

const State = schema({ score: t.number().default(0) }, "State");
class Field extends GameRoom<InstanceType<typeof State>> {
  static override State = State;
}

let node: TestNode;
let given: { roomId: RoomId; bytes: number }[] = [];
let failures: MeridianError[] = [];

beforeEach(async () => {
  given = [];
  failures = [];
  node = new TestNode({ games: { field: Field } });
  await node.start();
});
afterEach(() => node.stop());

/** Of a node whose standby has whole copies, and takes no last frame. */
function moveRooms(): MoveRooms {
  const { rooms, matchmaker } = node;
  return new MoveRooms({
    rooms,
    matchmaker,
    replication: {
      standbyOf: () => NodeId.parse("other-1"),
      async give(roomId, snapshot) {
        given.push({ roomId, bytes: snapshot.length });
        return undefined;
      },
    },
    async release() {
      const failure = failures.shift();
      if (failure) throw failure;
    },
    flushStates: async () => {},
    clock: systemClock,
    log: createLog("region", "silent"),
    metrics: createMetrics({}),
  });
}

async function played() {
  const seat = await node.seat("field");
  const player = await node.join(seat);
  player.reconnection.enabled = false;
  const { roomId } = seat.answer;
  const room = node.rooms.find(roomId) as Field;
  room.state.score = 7;
  return { seat, player, roomId, room };
}

test("a room whose standby does not take the last frame goes on here, with its players' seats", async () => {
  const { seat, player, roomId, room } = await played();
  const closed = new Promise<[number, string | undefined]>((resolve) => {
    player.onLeave.once((code, reason) => resolve([code, reason]));
  });
  const mover = moveRooms();
  const [{ moved, stayed }, again] = await Promise.all([
    mover.move([roomId]),
    mover.move([roomId]),
  ]);
  assert.deepEqual(moved, []);
  assert.match(stayed[0]?.why ?? "", /did not take the last frame/);
  assert.deepEqual(again.stayed, [{ roomId, why: "it is being moved" }]);
  assert.equal(given.length, 1);
  assert.deepEqual(await closed, [1001, "room_moved"]);
  const restored = node.rooms.find(roomId);
  assert.ok(restored instanceof Field && restored !== room);
  assert.deepEqual([restored.state.score, restored.formerEpoch], [7, room.epoch]);
  await until(() => restored.tick > room.tick, "its next tick");
  const { reconnectionToken } = seat.claims;
  const back = await node.join(
    node.ticketFor(seat.answer, { reconnectionToken }),
    reconnectionToken,
  );
  assert.equal(back.sessionId, seat.answer.sessionId);
  await back.leave();
});

test("a release that fails at first is tried again; one that the core refuses leaves the room alone", async () => {
  const { player, roomId, room } = await played();
  failures = [1, 2, 3].map(() => new MeridianError("forbidden"));
  const { stayed } = await moveRooms().move([roomId]);
  assert.match(stayed[0]?.why ?? "", /did not release/);
  assert.equal(node.rooms.find(roomId), room);
  assert.equal(given.length, 0);
  const { tick } = room;
  await until(() => room.tick > tick, "its next tick");
  failures = [new MeridianError("timeout")];
  await moveRooms().move([roomId]);
  assert.equal(given.length, 1);
  await until(() => !player.connection.isOpen, "the player's dismissal");
});

test("a room of which nobody can tell whether it is released goes on here under a new claim", async () => {
  const { player, roomId, room } = await played();
  failures = [1, 2, 3].map(() => new MeridianError("timeout"));
  const { moved, stayed } = await moveRooms().move([roomId]);
  assert.deepEqual(moved, []);
  assert.match(stayed[0]?.why ?? "", /whether it is released/);
  assert.equal(given.length, 0);
  assert.ok(room.handedOver, "it does not run on without an owner");
  const restored = node.rooms.find(roomId);
  assert.ok(restored instanceof Field && restored !== room);
  assert.equal(restored.state.score, 7);
  await until(() => restored.tick > room.tick, "its next tick");
  await until(() => !player.connection.isOpen, "the player's dismissal");
});

test("a room that can't be captured after its release ends: nobody owns it", async () => {
  const { player, roomId, room } = await played();
  room.handOver = () => {
    throw new Error("wanted by the test");
  };
  const { stayed } = await moveRooms().move([roomId]);
  assert.match(stayed[0]?.why ?? "", /^lost: /);
  assert.equal(node.rooms.find(roomId), undefined);
  await until(() => !player.connection.isOpen, "the player's dismissal");
});
