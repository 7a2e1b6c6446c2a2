/** One place per player in a room, whatever becomes of the older session's connection. */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { type Client, Room } from "@colyseus/core";
import { schema, t } from "@colyseus/schema";
import type { Epoch } from "../../shared/epoch.ts";
import type { PlayerId } from "../../shared/ids.ts";
import { Arena } from "../games/arena/arena-room.ts";
import { closeOf, TestNode } from "./test-node.ts";
import { newPlayerId, until } from "./test-tickets.ts";

const State = schema({ players: t.number() });
type State = InstanceType<typeof State>;
let most = 0;

/** Keeps every dropped player's seat, and takes its time to let one go. */
class KeepingRoom extends Room {
  override state = new State().assign({ players: 0 });
  override maxClients = 10;

  override onJoin(): void {
    this.state.players += 1;
    most = Math.max(most, this.state.players);
  }
  override onDrop(client: Client): void {
    void this.allowReconnection(client, 20);
  }
  override async onLeave(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 20));
    this.state.players -= 1;
  }
}

const node = new TestNode({ games: { keeping: KeepingRoom, arena: Arena } });
before(() => node.start());
afterEach(() => {
  assert.deepEqual(node.failures, []);
  assert.ok(most <= 1, `${most} of one player in a room at a time`);
  most = 0;
});
after(() => node.stop());

async function seatOf(playerId: PlayerId, sessionEpoch: Epoch, game = "keeping") {
  return node.ticketFor(await node.reserve(game, "joinOrCreate", 5_000, playerId), {
    sessionEpoch,
  });
}

for (const game of ["keeping", "arena"]) {
  test(`${game}: a newer session ends the older one in its room, for good`, async () => {
    const playerId = newPlayerId();
    const older = await seatOf(playerId, [1, 1], game);
    const room = await node.join<State>(older);
    const left = new Promise((resolve) => room.onLeave(resolve));
    const newer = await seatOf(playerId, [1, 2], game);
    assert.equal(newer.answer.roomId, older.answer.roomId);
    const second = await node.join<State>(newer);
    assert.equal(await left, 4408);
    const back = `${older.url}&reconnectionToken=${older.claims.reconnectionToken}`;
    assert.equal((await closeOf(back)).reason, "reconnect_expired");
    const clients = node.rooms.find(newer.answer.roomId)?.clients ?? [];
    const inRoom = Array.from(clients, ({ sessionId }) => sessionId);
    assert.deepEqual(inRoom, [newer.answer.sessionId]);
    assert.equal(node.ledger.get(older.answer.sessionId), undefined);
    await second.leave();
  });
}

test("a dropped session's kept place is given up for the newer one", async () => {
  const playerId = newPlayerId();
  const older = await seatOf(playerId, [1, 1]);
  const room = await node.join<State>(older);
  room.reconnection.enabled = false;
  await until(() => room.state?.players === 1, "the first state");
  room.connection.close();
  await until(() => node.ledger.get(older.answer.sessionId)?.state === "dropped", "the drop");
  const newer = await seatOf(playerId, [1, 2]);
  const second = await node.join<State>(newer);
  assert.equal(node.ledger.get(older.answer.sessionId), undefined);
  await second.leave();
});

test("an older session that comes late is refused, and leaves no seat behind", async () => {
  const playerId = newPlayerId();
  const older = await seatOf(playerId, [1, 1]);
  const newer = await seatOf(playerId, [1, 2]);
  const room = await node.join<State>(newer);
  assert.deepEqual(await closeOf(older.url), { code: 4408, reason: "session_taken_over" });
  assert.equal(node.ledger.get(older.answer.sessionId), undefined);
  const seats = node.rooms.find(older.answer.roomId);
  await until(() => seats?.hasReservedSeat(older.answer.sessionId) === false, "the seat's end");
  assert.equal(room.connection.isOpen, true);
  await room.leave();
});

test("of many sessions that come at once the newest stays, alone", async () => {
  const playerId = newPlayerId();
  const seats = [];
  for (let n = 1; n <= 5; n += 1) seats.push(await seatOf(playerId, [1, n]));
  const rooms = await Promise.allSettled(seats.map((seat) => node.join<State>(seat)));
  const newest = seats.at(-1);
  assert.ok(newest);
  const room = node.rooms.find(newest.answer.roomId);
  await until(
    () => room?.clients.length === 1 && room.clients[0]?.sessionId === newest.answer.sessionId,
    "the newest alone",
  );
  const last = rooms.at(-1);
  assert.equal(last?.status, "fulfilled");
  if (last?.status === "fulfilled") await last.value.leave();
});

test("two players in one room don't disturb each other", async () => {
  const one = await node.join<State>(await seatOf(newPlayerId(), [1, 1]));
  const two = await node.join<State>(await seatOf(newPlayerId(), [1, 2]));
  await until(() => two.state?.players === 2, "both");
  most = 0;
  assert.equal(one.connection.isOpen, true);
  await Promise.all([one.leave(), two.leave()]);
});
