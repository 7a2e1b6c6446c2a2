/**
 * Dropped players come back to the same session, over the same URL, with the same token, as the stock
 * SDK does it: again and again, with an expired ticket, beside a socket that is open still.
 */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { type Client, Room } from "@colyseus/core";
import { schema, t } from "@colyseus/schema";
import { closeOf, TestNode, type TestSeat } from "./test-node.ts";
import { until } from "./test-tickets.ts";

const State = schema({ drops: t.number(), returns: t.number() });
type State = InstanceType<typeof State>;

class KeepingRoom extends Room {
  override state = new State().assign({ drops: 0, returns: 0 });

  override onDrop(client: Client): void {
    this.state.drops += 1;
    void this.allowReconnection(client, 5);
  }
  override onReconnect(): void {
    this.state.returns += 1;
  }
}

/** Waits before it keeps the seat, and inside `onReconnect`: the slow kind of game. */
class SlowRoom extends KeepingRoom {
  override async onDrop(client: Client): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 20));
    super.onDrop(client);
  }
  override async onReconnect(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 20));
    super.onReconnect();
  }
}

let decided = Promise.resolve();
/** Keeps the seat only once the test lets it decide. */
class UndecidedRoom extends KeepingRoom {
  override async onDrop(client: Client): Promise<void> {
    await decided;
    super.onDrop(client);
  }
}

class ForgetfulRoom extends Room {
  override state = new State().assign({ drops: 0, returns: 0 });
  override autoDispose = false;
}

const node = new TestNode({
  games: {
    keeping: KeepingRoom,
    slow: SlowRoom,
    undecided: UndecidedRoom,
    forgetful: ForgetfulRoom,
  },
});
before(() => node.start());
afterEach(() => {
  node.aheadMs = 0;
  assert.deepEqual(node.failures, []);
});
after(() => node.stop());

async function play(game: string) {
  const seat = await node.seat(game);
  const room = await node.join<State>(seat);
  room.reconnection.minUptime = 0;
  room.reconnection.minDelay = 10;
  room.reconnection.delay = 10;
  await until(() => room.state?.drops === 0, "the first state");
  return { seat, room };
}

function returningUrl(seat: TestSeat): string {
  return `${seat.url}&reconnectionToken=${seat.claims.reconnectionToken}&skipHandshake=1`;
}

for (const game of ["keeping", "slow"]) {
  test(`${game}: the SDK comes back by itself, three times, with one token`, async () => {
    const { seat, room } = await play(game);
    const token = `${seat.claims.roomId}:${seat.claims.reconnectionToken}`;
    assert.equal(room.reconnectionToken, token);
    node.aheadMs = 3_600_000;
    for (let round = 1; round <= 3; round += 1) {
      room.connection.close();
      await until(() => room.state.returns === round, `return ${round}`);
      assert.equal(room.reconnectionToken, token);
      assert.equal(room.state.drops, round);
    }
    assert.equal(node.ledger.get(seat.answer.sessionId)?.state, "connected");
    await room.leave();
    await until(() => node.ledger.get(seat.answer.sessionId) === undefined, "the seat's end");
  });

  test(`${game}: a second connection takes over from one that is open still`, async () => {
    const { seat, room } = await play(game);
    const left = new Promise((resolve) => room.onLeave(resolve));
    const second = await node.join<State>(seat, seat.claims.reconnectionToken);
    assert.equal(await left, 4408);
    await until(() => second.state?.returns === 1, "the hand-over");
    assert.equal(node.rooms.find(seat.answer.roomId)?.clients.length, 1);
    assert.equal(node.ledger.get(seat.answer.sessionId)?.state, "connected");
    await second.leave();
  });

  test(`${game}: of two attempts at once the newer gets in, and the other tries again`, async () => {
    const { seat, room } = await play(game);
    room.reconnection.enabled = false;
    const first = closeOf(returningUrl(seat));
    const second = node.join<State>(seat, seat.claims.reconnectionToken);
    const outcome = await Promise.allSettled([second]);
    const lost = await Promise.race([first, Promise.resolve(undefined)]);
    // Whichever the server saw last is in; a refusal is one that makes the stock client retry.
    const refusals = [lost?.code, outcome[0]?.status === "rejected" ? outcome[0].reason.code : 0];
    for (const code of refusals) assert.ok([undefined, 0, 4408, 4010].includes(code), `${code}`);
    await until(() => node.rooms.find(seat.answer.roomId)?.clients.length === 1, "one client");
    if (outcome[0]?.status === "fulfilled") await outcome[0].value.leave();
  });
}

test("one who comes back and drops before the join is acknowledged may come back again", async () => {
  const { seat, room } = await play("keeping");
  room.reconnection.enabled = false;
  room.connection.close();
  await until(() => node.ledger.get(seat.answer.sessionId)?.state === "dropped", "the drop");
  await new Promise<void>((resolve) => {
    const hasty = new WebSocket(returningUrl(seat));
    hasty.addEventListener("message", () => hasty.close(), { once: true });
    hasty.addEventListener("close", () => resolve());
  });
  await until(() => node.ledger.get(seat.answer.sessionId)?.state === "dropped", "the second drop");
  const back = await node.join<State>(seat, seat.claims.reconnectionToken);
  await until(() => back.state?.returns === 2, "the return");
  await back.leave();
});

test("a newcomer who drops before the join is acknowledged harms nobody", async () => {
  const seat = await node.seat("keeping");
  await new Promise<void>((resolve) => {
    const hasty = new WebSocket(seat.url);
    hasty.addEventListener("message", () => hasty.close(), { once: true });
    hasty.addEventListener("close", () => resolve());
  });
  await until(() => node.ledger.get(seat.answer.sessionId) === undefined, "the seat's end");
});

test("a wrong reconnection token gets nothing, and leaks no room", async () => {
  const { seat, room } = await play("keeping");
  const bystander = await play("keeping");
  room.reconnection.enabled = false;
  room.connection.close();
  await until(() => node.ledger.get(seat.answer.sessionId)?.state === "dropped", "the drop");
  const stolen = `${seat.url}&reconnectionToken=${bystander.seat.claims.reconnectionToken}`;
  assert.deepEqual(await closeOf(stolen), { code: 4401, reason: "ticket_invalid" });
  // Signed for this seat, but with a token that the room never heard of.
  const { sub: _player, ...other } = node.ticketFor(seat.answer).claims;
  const forged = node.ticketFor(seat.answer, { jti: other.jti });
  const close = await closeOf(returningUrl(forged));
  assert.deepEqual(close, { code: 4003, reason: "reconnect_expired" });
  const back = await node.join(seat, seat.claims.reconnectionToken);
  await Promise.all([back.leave(), bystander.room.leave()]);
  await until(() => node.rooms.find(seat.answer.roomId) === undefined, "the room's end");
});

test("one who is back before the room has dealt with the drop is told to try again", async () => {
  const { seat, room } = await play("undecided");
  room.reconnection.enabled = false;
  let decide = () => {};
  decided = new Promise((resolve) => {
    decide = resolve;
  });
  room.connection.close();
  await until(() => node.ledger.get(seat.answer.sessionId)?.state === "dropped", "the drop");
  assert.deepEqual(await closeOf(returningUrl(seat)), { code: 4010, reason: "resync" });
  decide();
  const seats = node.rooms.find(seat.answer.roomId);
  const held = () => seats?.hasReservedSeat(seat.answer.sessionId, seat.claims.reconnectionToken);
  await until(() => held() === true, "the seat");
  const back = await node.join(seat, seat.claims.reconnectionToken);
  await back.leave();
});

test("a room that keeps no seats says so", async () => {
  const { seat, room } = await play("forgetful");
  const left = new Promise((resolve) => room.onLeave(resolve));
  room.connection.close();
  assert.equal(await left, 4003);
  assert.equal(node.ledger.get(seat.answer.sessionId), undefined);
});
