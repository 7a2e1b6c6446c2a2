/** Rooms whose claim is under way, refused or late: nobody plays in one before its epoch is granted. */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import type { Client, Room } from "@colyseus/core";
import { schema, t } from "@colyseus/schema";
import { z } from "zod";
import type { Epoch } from "../../shared/epoch.ts";
import { MeridianError } from "../../shared/errors.ts";
import { GameName, RoomId } from "../../shared/ids.ts";
import { createLog } from "../../shared/log.ts";
import { OpId, type RoomOp, type RoomOps } from "../../shared/protocol/value.ts";
import type { RoomToClaim } from "../link/claims.ts";
import { GameRoom } from "../rooms/game-room.ts";
import { handler } from "../rooms/message-handler.ts";
import { closeOf, TestNode } from "../transport/test-node.ts";
import { until } from "../transport/test-tickets.ts";
import { RoomEpochs } from "./room-epochs.ts";
import { internals } from "./room-internals.ts";

const State = schema({ banked: t.number().default(0) }, "GatedState");
type State = InstanceType<typeof State>;

class Gated extends GameRoom<State> {
  static override State = State;
  override messages = {
    bank: handler(z.undefined(), () => {
      this.state.banked += 1;
    }),
  };
  override onValue({ opSeq }: RoomOp): void {
    this.state.banked = opSeq * 100 + this.tick;
  }
}

interface Claim {
  readonly room: RoomToClaim;
  readonly signal: AbortSignal;
  grant(epoch: Epoch, roomOps?: readonly RoomOps[]): void;
  refuse(error: MeridianError): void;
}
const claims: Claim[] = [];

const epochs = new RoomEpochs({
  claims: {
    claim: (room, signal) => {
      return new Promise((resolve, refuse) => {
        const grant: Claim["grant"] = (roomEpoch, roomOps = []) => resolve({ roomEpoch, roomOps });
        claims.push({ room, signal, grant, refuse });
      });
    },
  },
  endRoom: (room) => node.rooms.end(room),
  log: createLog("region", "silent"),
});
const node: TestNode = new TestNode({
  games: { gated: Gated },
  created(room: Room) {
    void epochs.created(room, RoomId.parse(room.roomId), GameName.parse(room.roomName));
  },
});
before(() => node.start());
afterEach(async () => {
  claims.length = 0;
  await until(() => node.rooms.gone, "the rooms' end");
  assert.deepEqual(node.ledger.counts(performance.now()), { connected: 0, reserved: 0 });
  assert.deepEqual(node.failures, []);
});
after(() => node.stop());

/** A player at the door of a room without an epoch. */
async function atTheDoor() {
  const seat = await node.seat("gated");
  const room = node.rooms.find(seat.answer.roomId);
  const [claim] = claims;
  assert.ok(room instanceof Gated && claim);
  return { seat, room, claim };
}

function clientIn(room: Room): Client | undefined {
  return room.clients[0];
}

test("the join is sent, and messages are read, once the epoch is granted", async () => {
  const { seat, room, claim } = await atTheDoor();
  const socket = new WebSocket(seat.url);
  let received = 0;
  socket.addEventListener("message", () => {
    received += 1;
  });
  await until(() => socket.readyState === WebSocket.OPEN, "the upgrade");
  assert.ok(clientIn(room));
  // An acknowledgement and a message, as from one who takes the join for granted.
  socket.send(Uint8Array.of(10));
  socket.send(Uint8Array.of(13, 0xa4, ...Buffer.from("bank")));
  const { metrics } = node;
  const heard = async () => (await metrics.metrics()).match(/messages_received_total (\d+)/)?.[1];
  while ((await heard()) !== "2") await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([received, room.players.size, room.state.banked, room.tick], [0, 0, 0, 0]);
  claim.grant([1, 1]);
  await until(() => received > 0 && room.players.size === 1, "the join");
  socket.send(Uint8Array.of(10));
  socket.send(Uint8Array.of(13, 0xa4, ...Buffer.from("bank")));
  await until(() => room.state.banked === 1, "the message");
  socket.close(1000);
});

test("who comes again while their first attempt waits for the claim is told to try once more", async () => {
  const { seat, room, claim } = await atTheDoor();
  const socket = new WebSocket(seat.url);
  await until(() => clientIn(room) !== undefined, "the player at the door");
  const again = `${seat.url}&reconnectionToken=${seat.claims.reconnectionToken}`;
  assert.deepEqual(await closeOf(again), { code: 4010, reason: "resync" });
  claim.grant([1, 1]);
  await until(() => room.players.size === 1, "the first attempt's success");
  socket.close(1000);
});

test("a claim that is refused ends the room, and sends who waited away to try again", async () => {
  const { seat, room, claim } = await atTheDoor();
  const closed = closeOf(seat.url);
  await until(() => clientIn(room) !== undefined, "the player at the door");
  claim.refuse(new MeridianError("fenced"));
  assert.equal((await closed).code, 1001);
});

test("one who goes while the claim is under way never was in the room", async () => {
  const { seat, room, claim } = await atTheDoor();
  const socket = new WebSocket(seat.url);
  await until(() => socket.readyState === WebSocket.OPEN, "the upgrade");
  assert.ok(clientIn(room));
  socket.close();
  await until(() => node.connections() === 0, "the close");
  claim.grant([1, 1]);
  await until(() => clientIn(room) === undefined, "the client's end");
  assert.equal(room.players.size, 0);
});

test("one who comes back to a restored room and drops before its epoch may come back again", async () => {
  const { seat, room, claim } = await atTheDoor();
  claim.grant([1, 1]);
  const player = await node.join<State>(seat);
  player.reconnection.enabled = false;
  await until(() => room.players.size === 1, "the player");
  const { roomId, game } = claim.room;
  const snapshot = room.handOver();
  player.connection.close();
  await room.disconnect();
  await until(() => node.rooms.gone, "the end");
  const restored = await node.rooms.restore({ roomId, game, snapshot });
  await node.matchmaker.expect(restored, roomId);

  const { reconnectionToken } = seat.claims;
  const hasty = new WebSocket(`${seat.url}&reconnectionToken=${reconnectionToken}`);
  await until(() => clientIn(restored) !== undefined, "the player at the door");
  hasty.close();
  await until(() => node.connections() === 0, "the close");
  claims[1]?.grant([1, 2]);
  const { sessionId } = seat.answer;
  await until(() => restored.hasReservedSeat(sessionId, reconnectionToken), "the seat");
  assert.equal(restored.players.size, 1);
  assert.equal(node.ledger.get(sessionId)?.state, "dropped");
  const back = await node.join<State>(seat, reconnectionToken);
  back.reconnection.enabled = false;
  await until(() => node.ledger.get(sessionId)?.state === "connected", "the return");
  assert.deepEqual([restored.players.size, internals(restored)._listing.clients], [1, 1]);
  await node.rooms.end(restored);
});

test("a restored room says what it knows, and has the rest before its first tick", async () => {
  const { room, claim } = await atTheDoor();
  assert.equal(claim.room.opSeq, undefined, "a new room knows of nothing");
  claim.grant([1, 1], [{ ops: [], upTo: 4, more: false }]);
  await until(() => room.tick > 1, "the room's ticks");
  const { roomId } = claim.room;
  const snapshot = room.handOver();
  await room.disconnect();
  await until(() => node.rooms.gone, "the end");
  const { game } = claim.room;
  const restored = await node.rooms.restore({ roomId, game, snapshot, formerEpoch: [1, 1] });
  assert.ok(restored instanceof Gated);
  const { opSeq, formerEpoch } = claims[1]?.room ?? {};
  assert.deepEqual({ opSeq, formerEpoch }, { opSeq: 4, formerEpoch: [1, 1] });
  const { tick } = restored;
  const missed = { opSeq: 5, id: OpId.parse(`${roomId}/cause/ada`), changes: [] };
  claims[1]?.grant([1, 2], [{ ops: [missed], upTo: 6, more: false }]);
  await until(() => restored.tick > tick, "the next tick");
  assert.equal(restored.state.banked, 500 + tick);
  await node.rooms.end(restored);
});
