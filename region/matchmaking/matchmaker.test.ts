/** Seats in real rooms: granted, renewed, given back, lapsed, found again. */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { type Client, Room } from "@colyseus/core";
import { GameName, RoomId, SessionId } from "../../shared/ids.ts";
import type { JoinMode } from "../../shared/protocol/join.ts";
import { waitingSeats } from "../node/room-internals.ts";
import { closeOf, TestNode } from "../transport/test-node.ts";
import { newPlayerId, until } from "../transport/test-tickets.ts";

let created = 0;
class PairRoom extends Room {
  override maxClients = 2;
  override async onCreate(): Promise<void> {
    created += 1;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  override onDrop(client: Client): void {
    void this.allowReconnection(client, 5);
  }
}

class BrokenRoom extends Room {
  override onCreate(): void {
    throw new Error("no such map");
  }
}

class StuckRoom extends Room {
  override async onCreate(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 6_000));
  }
}

const CAPACITY = 6;
const games = { pair: PairRoom, broken: BrokenRoom, stuck: StuckRoom };
const node = new TestNode({ games, capacity: CAPACITY });
const { matchmaker, ledger, rooms } = node;
before(() => node.start());
afterEach(async () => {
  for (const roomId of rooms.ids) void rooms.end(roomOf(roomId));
  await until(() => rooms.gone, "the rooms' end");
  assert.deepEqual(ledger.counts(performance.now()), { connected: 0, reserved: 0 });
  created = 0;
});
after(() => node.stop());

const roomOf = (roomId: RoomId) => {
  const room = rooms.find(roomId);
  assert.ok(room);
  return room;
};

const player = { playerId: newPlayerId(), name: "Ada", sessionEpoch: [1, 1] as const };
const pair = GameName.parse("pair");

function ask(mode: JoinMode, roomId?: string) {
  return matchmaker.reserve({
    kind: "seat",
    player,
    game: pair,
    mode,
    options: {},
    holdMs: 5_000,
    ...(roomId && { roomId: RoomId.parse(roomId) }),
  });
}

test("players who come at once share a new room, and fill one after the other", async () => {
  const answers = await Promise.all([1, 2, 3, 4].map(() => node.reserve("pair")));
  assert.equal(created, 2);
  assert.equal(new Set(answers.map(({ roomId }) => roomId)).size, 2);
  assert.equal(new Set(answers.map(({ sessionId }) => sessionId)).size, 4);
});

test("a full node refuses, and takes one again when a seat is given back", async () => {
  const answers = await Promise.all([...Array(CAPACITY)].map(() => node.reserve("pair")));
  await assert.rejects(node.reserve("pair"), { kind: "region_full" });
  const [first] = answers;
  assert.ok(first);
  await matchmaker.release(first);
  await node.reserve("pair");
  assert.deepEqual(ledger.counts(0), { connected: 0, reserved: CAPACITY });
});

test("a released seat is free in its room, and released again is no error", async () => {
  const [one, two] = await Promise.all([node.reserve("pair"), node.reserve("pair")]);
  assert.equal(one.roomId, two.roomId);
  const room = roomOf(one.roomId);
  assert.equal(room.hasReachedMaxClients(), true);
  await matchmaker.release(one);
  await matchmaker.release(one);
  await matchmaker.release({ ...one, roomId: RoomId.parse("gone") });
  await until(() => !room.locked && !room.hasReachedMaxClients(), "the free seat");
  assert.deepEqual(waitingSeats(room), [two.sessionId]);
  const three = await ask("join");
  assert.equal(three.roomId, one.roomId);
});

test("a lapsed seat is free, in the ledger and in the room", async () => {
  const answer = await node.reserve("pair", "create", 30);
  const other = await ask("joinById", answer.roomId);
  const room = roomOf(answer.roomId);
  await until(() => !room.hasReservedSeat(answer.sessionId), "the lapse");
  await until(() => ledger.counts(performance.now()).reserved === 1, "the ledger's lapse");
  assert.deepEqual(waitingSeats(room), [other.sessionId]);
  const renewal = { kind: "renew", holdMs: 1_000, ...answer } as const;
  await assert.rejects(matchmaker.reserve(renewal), { kind: "ticket_expired" });
});

test("a renewed seat outlives its first hold, also in a full room", async () => {
  const answer = await node.reserve("pair", "create", 60);
  const other = await ask("joinById", answer.roomId);
  const renewed = await matchmaker.reserve({ kind: "renew", holdMs: 5_000, ...answer });
  assert.deepEqual({ ...renewed, grant: answer.grant }, answer);
  const endsAtMs = performance.now() + 90;
  await until(() => performance.now() > endsAtMs, "the first hold's end");
  assert.deepEqual(
    waitingSeats(roomOf(answer.roomId)).sort(),
    [answer.sessionId, other.sessionId].sort(),
  );
  assert.equal(ledger.counts(performance.now()).reserved, 2);
  const [listing] = [await rooms.findOpen(pair, {})];
  assert.equal(listing, undefined, "the full room stays closed");
  const joined = await node.join(node.ticketFor(answer));
  await assert.rejects(matchmaker.reserve({ kind: "renew", holdMs: 1_000, ...answer }), {
    kind: "ticket_used",
  });
  await joined.leave();
});

test("a renewal says when the room is gone with its seat: that ticket is another one's then", async () => {
  const answer = await node.reserve("pair", "create");
  await rooms.end(roomOf(answer.roomId));
  await until(() => rooms.gone, "the room's end");
  const renewal = { kind: "renew", holdMs: 5_000, ...answer } as const;
  await assert.rejects(matchmaker.reserve(renewal), { kind: "room_not_found" });
});

test("the modes of a join", async () => {
  await assert.rejects(ask("join"), { kind: "room_not_found" });
  await assert.rejects(ask("joinById", "gone"), { kind: "room_not_found" });
  await assert.rejects(node.reserve("chess"), { kind: "unknown_game" });
  const first = await ask("create");
  assert.notEqual((await ask("create")).roomId, first.roomId);
  assert.equal((await ask("joinById", first.roomId)).roomId, first.roomId);
  await assert.rejects(ask("joinById", first.roomId), {
    kind: "room_full",
    message: "The room of pair is full or locked (its maxClients is 2): join another one.",
  });
  const otherGame = { game: GameName.parse("broken"), roomId: first.roomId };
  const request = { kind: "seat", player, mode: "joinById", options: {}, holdMs: 1 } as const;
  await assert.rejects(matchmaker.reserve({ ...request, ...otherGame }), {
    kind: "room_not_found",
  });
});

test("a locked room takes nobody by its id", async () => {
  const { roomId } = await ask("create");
  await rooms.find(roomId)?.lock();
  await assert.rejects(ask("joinById", roomId), { kind: "room_full" });
});

test("a game that can't make a room costs no seat", async () => {
  await assert.rejects(node.reserve("broken"), { kind: "internal" });
  assert.deepEqual(ledger.counts(0), { connected: 0, reserved: 0 });
  node.failures.length = 0;
});

test("a game that is too slow to make a room costs no seat, and its room ends", async () => {
  await assert.rejects(node.reserve("stuck"), { kind: "timeout" });
  assert.deepEqual(ledger.counts(0), { connected: 0, reserved: 0 });
  assert.equal(rooms.gone, false);
  await until(() => rooms.gone, "the late room's end");
});

test("a dropped player's seat is found by its token, and by nobody else's", async () => {
  const seat = await node.seat("pair");
  const room = await node.join(seat);
  room.reconnection.enabled = false;
  const { roomId, sessionId, reconnectionToken, sub: playerId } = seat.claims;
  const request = { kind: "reconnect", playerId, roomId, sessionId, reconnectionToken } as const;
  const { grant, ...same } = seat.answer;
  assert.ok(grant);
  assert.deepEqual(await matchmaker.reserve(request), same, "while still connected");
  room.connection.close();
  await until(() => ledger.get(sessionId)?.state === "dropped", "the drop");
  assert.deepEqual(await matchmaker.reserve(request), same);

  const expired = { kind: "reconnect_expired" };
  const wrong = [
    { playerId: newPlayerId() },
    { reconnectionToken: "x".repeat(32) },
    { sessionId: SessionId.parse("another") },
  ];
  for (const change of wrong) {
    await assert.rejects(matchmaker.reserve({ ...request, ...change }), expired);
  }
  const gone = { ...request, roomId: RoomId.parse("gone") };
  await assert.rejects(matchmaker.reserve(gone), { kind: "room_not_found" });
});

/** Where a player may be when the core ends the session. */
const standings = ["waiting", "playing", "dropped"] as const;
const kinds = [
  { kind: "banned", code: 4403 },
  { kind: "session_taken_over", code: 4408 },
] as const;
const cases = standings.flatMap((standing) => kinds.map((why) => ({ standing, ...why })));
for (const { standing, kind, code } of cases) {
  test(`a session that the core ends is over for good: ${standing}, ${kind}`, async () => {
    const seat = await node.seat("pair");
    const { roomId, sessionId, reconnectionToken, sub: playerId } = seat.claims;
    const room = standing === "waiting" ? undefined : await node.join(seat);
    const told: { code: number; reason: string | undefined }[] = [];
    if (room) room.reconnection.enabled = false;
    room?.onLeave((code, reason) => told.push({ code, reason }));
    if (standing === "dropped") {
      room?.connection.close();
      await until(() => ledger.get(sessionId)?.state === "dropped", "the drop");
      told.length = 0;
    }
    await matchmaker.evict({ roomId, sessionId, kind });
    assert.equal(
      ledger.get(sessionId),
      undefined,
      "the seat is free, whatever its room would keep",
    );
    if (standing === "playing") {
      await until(() => told.length > 0, "the end of the connection");
      assert.deepEqual(told, [{ code, reason: kind }]);
    }
    if (standing === "waiting") assert.equal((await closeOf(seat.url)).reason, kind);
    const back = `${seat.url}&reconnectionToken=${reconnectionToken}`;
    assert.equal((await closeOf(back)).reason, kind, "at the same URL");
    const request = { kind: "reconnect", playerId, roomId, sessionId, reconnectionToken } as const;
    await assert.rejects(matchmaker.reserve(request), (error: { kind?: string }) =>
      [kind, "room_not_found"].includes(error.kind ?? ""),
    );
  });
}

test("a player whom the core ends on the way in gets out again", async () => {
  const seat = await node.seat("pair");
  const { roomId, sessionId } = seat.claims;
  const joining = node.join(seat);
  // Listening from the first moment: the room has let go when the eviction is answered.
  const outcome = joining.then(
    (room) => new Promise((resolve) => room.onLeave(resolve)),
    (error: { code: number }) => error.code,
  );
  await until(() => ledger.get(sessionId)?.state === "connected", "the arrival");
  await matchmaker.evict({ roomId, sessionId, kind: "banned" });
  assert.equal(await outcome, 4403);
  assert.equal(ledger.get(sessionId), undefined, "no seat is left behind");
});

test("ending what is not there is no error", async () => {
  const sessionId = SessionId.parse("nobody");
  await matchmaker.evict({ roomId: RoomId.parse("gone"), sessionId, kind: "logged_out" });
});
