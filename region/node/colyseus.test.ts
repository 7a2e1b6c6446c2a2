/** The known hazards of Colyseus' rooms and process, each against a real node with real sockets. */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Room } from "@colyseus/core";
import { schema, t } from "@colyseus/schema";
import { z } from "zod";
import type { Epoch } from "../../shared/epoch.ts";
import { FakeClock } from "../../shared/fake-clock.ts";
import { GameName, type RoomId } from "../../shared/ids.ts";
import { GameRoom } from "../rooms/game-room.ts";
import { handler } from "../rooms/message-handler.ts";
import { closeOf, grantEpoch, TestNode } from "../transport/test-node.ts";
import { newPlayerId, until } from "../transport/test-tickets.ts";
import { holdSeat, internals } from "./room-internals.ts";

const CREATE_DEADLINE_MS = 5_000;
const EPOCH: Epoch = [1, 1];

let made: (() => void)[] = [];
const twins: Slow[] = [];
const SlowState = schema({ ticks: t.number().default(0) }, "SlowState");
class Slow extends GameRoom<InstanceType<typeof SlowState>> {
  static override State = SlowState;
  override onSetup(): Promise<void> {
    twins.push(this);
    return new Promise((resolve) => made.push(resolve));
  }
  override onTick(): void {
    this.state.ticks += 1;
  }
}

let counted = 0;
class Counting extends GameRoom<InstanceType<typeof SlowState>> {
  static override State = SlowState;
  override messages = {
    count: handler(z.undefined(), () => {
      counted += 1;
    }),
  };
}
class PlainCounting extends Room {
  override onCreate(): void {
    this.onMessage("count", () => {
      counted += 1;
    });
  }
}

let most = 0;
class Pair extends Room {
  override maxClients = 2;
  override onJoin(): void {
    most = Math.max(most, this.clients.length);
  }
}

const signals = ["SIGINT", "SIGTERM", "SIGUSR2", "uncaughtException", "unhandledRejection"];
const handlers = () => signals.map((name) => process.listenerCount(name));
let handlersBefore: number[] = [];

const clock = new FakeClock();
const games = { slow: Slow, pair: Pair, counting: Counting, "plain-counting": PlainCounting };
const limits = { messagesPerSecondMax: 60 };
const node = new TestNode({
  games,
  limits,
  capacity: 5_000,
  clock,
  created: (room) => room instanceof Slow || grantEpoch(room),
});
const { matchmaker, ledger, rooms } = node;
before(() => {
  handlersBefore = handlers();
  return node.start();
});
afterEach(async () => {
  rooms.endAll();
  await until(() => rooms.gone, "the rooms' end");
  await rooms.start();
  assert.deepEqual(node.failures, []);
  twins.length = 0;
});
after(() => node.stop());

function roomOf(roomId: RoomId): Room {
  const room = rooms.find(roomId);
  assert.ok(room);
  return room;
}

test("Colyseus takes no signal and no exception of the process", () => {
  assert.deepEqual(handlers(), handlersBefore);
});

test("of twin rooms after a creation timeout the late one ends: it never ran, nobody was in", async () => {
  const refused = assert.rejects(node.reserve("slow"), { kind: "timeout" });
  await until(() => made.length === 1, "the first room's making");
  clock.advance(CREATE_DEADLINE_MS);
  await refused;
  const second = node.reserve("slow");
  await until(() => made.length === 2, "the second room's making");
  for (const settle of made) settle();
  made = [];
  const seat = node.ticketFor(await second);
  const [late, kept] = twins;
  assert.ok(late && kept);
  await until(() => rooms.count === 1, "the late room's end");
  assert.deepEqual(rooms.ids, [seat.answer.roomId]);
  assert.equal(kept.roomId, seat.answer.roomId);
  assert.equal(late.tick, 0);
  assert.equal(late.epoch, undefined);

  const joining = node.join(seat);
  await until(() => kept.clients.length === 1, "the player at the door");
  clock.advance(1_000);
  assert.equal(kept.tick, 0, "nor does its twin run before it has an epoch");
  assert.equal(kept.players.size, 0, "or let anybody in");
  kept.grantEpoch(EPOCH);
  const room = await joining;
  clock.advance(1_000);
  assert.equal(kept.tick, 20);
  assert.equal(late.tick, 0);
  await room.leave();
});

test("a room never holds more than its maxClients, however many come at once", async () => {
  most = 0;
  const seats = await Promise.all(Array.from({ length: 40 }, () => node.seat("pair")));
  const joined = await Promise.all(seats.map((seat) => node.join(seat)));
  assert.equal(rooms.count, 20);
  assert.equal(most, 2);
  for (const roomId of rooms.ids) {
    assert.equal(roomOf(roomId).clients.length, 2);
    const next = { kind: "seat", mode: "joinById", roomId } as const;
    await assert.rejects(matchmaker.reserve({ ...seatRequest(), ...next }), { kind: "room_full" });
  }
  await Promise.all(joined.map((room) => room.leave()));
  assert.deepEqual(ledger.counts(clock.monotonicMs()), { connected: 0, reserved: 0 });
});

test("a room that is ended ends, however many ask for a seat in it meanwhile", async () => {
  const { roomId } = await node.reserve("pair");
  const room = roomOf(roomId);
  room.maxClients = Infinity;
  const held = { sessionId: "from-before", options: {}, auth: {} };
  const byId = { ...seatRequest(), kind: "seat", mode: "joinById", roomId } as const;
  let over = false;
  const ending = rooms.end(room).then(() => {
    over = true;
  });
  // Held while the room ends: one of its timers may outlive the room, and the test with it.
  await holdSeat(room, held, 2_000);
  // One question after the other, each as soon as the last is answered.
  const granted: RoomId[] = [];
  while (!over) {
    granted.push((await node.reserve("pair")).roomId);
    await assert.rejects(matchmaker.reserve(byId), { kind: "room_not_found" });
    clock.advance(20);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await ending;
  assert.equal(rooms.ids.includes(roomId), false);
  assert.equal(granted.includes(roomId), false);
});

for (const game of ["counting", "plain-counting"]) {
  test(`${game}: one limit of messages for every room, and its burst is taken`, async () => {
    counted = 0;
    const room = await node.join(await node.seat(game));
    const left = new Promise((resolve) => room.onLeave(resolve));
    // The acknowledgement of the join was the first message of the burst.
    for (let sent = 1; sent < 2 * limits.messagesPerSecondMax; sent += 1) room.send("count");
    await until(() => counted === 2 * limits.messagesPerSecondMax - 1, "the burst");
    room.send("count");
    assert.equal(await left, 4429);
    assert.equal(counted, 2 * limits.messagesPerSecondMax - 1);
  });
}

function seatRequest() {
  const player = { playerId: newPlayerId(), name: "Ada", sessionEpoch: [1, 1] as const };
  return { player, game: GameName.parse("pair"), options: {}, holdMs: 5_000 };
}

test("thousands of seats that lapse leave nothing, and their tickets bring nobody in", async () => {
  const SEATS = 3_000;
  // Longer than the others take on a busy machine, as Colyseus goes by the real time.
  const kept = await node.reserve("pair", "joinOrCreate", 60_000);
  const holdMs = 20;
  const answers = await Promise.all(
    Array.from({ length: SEATS }, () => node.reserve("pair", "joinOrCreate", holdMs)),
  );
  const [first] = answers.filter(({ roomId }) => roomId === kept.roomId);
  assert.ok(first);
  clock.advance(holdMs);
  assert.deepEqual(ledger.counts(clock.monotonicMs()), { connected: 0, reserved: 1 });
  await until(() => rooms.count === 1, "the end of all rooms but one");
  const room = roomOf(kept.roomId);
  const { _reservedSeats, _reservedSeatTimeouts, _listing } = internals(room);
  assert.deepEqual(Object.keys(_reservedSeats), [kept.sessionId]);
  assert.deepEqual(Object.keys(_reservedSeatTimeouts), [kept.sessionId]);
  assert.equal(_listing.clients, 1);
  const expired = { code: 4410, reason: "ticket_expired" };
  assert.deepEqual(await closeOf(node.ticketFor(first).url), expired);
  const again = await node.reserve("pair");
  assert.equal(again.roomId, kept.roomId, "the lapsed seat is free");
  await matchmaker.release(kept);
  await matchmaker.release(again);
});
