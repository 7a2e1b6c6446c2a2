/** Rooms that outlive their process: given by one life of a node, taken by the next. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, beforeEach, test } from "node:test";
import { schema, t } from "@colyseus/schema";
import { systemClock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import { GameName, NodeId, type RoomId } from "../../shared/ids.ts";
import { createLog } from "../../shared/log.ts";
import type { ReserveAnswer } from "../../shared/protocol/link.ts";
import { GameRoom } from "../rooms/game-room.ts";
import type { Player } from "../rooms/player.ts";
import { closeOf, TestNode, type TestSeat } from "../transport/test-node.ts";
import { until } from "../transport/test-tickets.ts";
import { HandOver } from "./hand-over.ts";
import { takeHandOver, writeHandOver } from "./hand-over-file.ts";

const dir = mkdtempSync(join(tmpdir(), "meridian-hand-over-"));
const file = join(dir, "rooms");
after(() => rmSync(dir, { recursive: true }));

const State = schema({ score: t.uint16().default(0) }, "State");
const OtherState = schema({ score: t.uint16().default(0), lives: t.uint8().default(3) }, "State");
const seen: string[] = [];

class Count extends GameRoom<InstanceType<typeof State>> {
  static override State = State;
  override onResume(player: Player): void {
    seen.push(`resume ${player.name}`);
  }
  override onAway(): void {
    seen.push("away");
  }
  override onExit(): void {
    seen.push("exit");
  }
  override onEnd(): void {
    seen.push("end");
  }
}
class OtherCount extends GameRoom<InstanceType<typeof OtherState>> {
  static override State = OtherState;
}

let node: TestNode;
beforeEach(() => {
  seen.length = 0;
});
afterEach(() => node.stop());

function handOverOf(node: TestNode, released: RoomId[], failure?: MeridianError): HandOver {
  const handOver = new HandOver({
    file,
    nodeId: node.nodeId,
    rooms: node.rooms,
    matchmaker: node.matchmaker,
    release: async (roomIds) => {
      if (failure) throw failure;
      released.push(...roomIds);
    },
    flushStates: async () => {},
    dismissPlayers: () => node.transport.dismissAll(),
    clock: systemClock,
    log: createLog("region", "silent"),
  });
  return handOver;
}

function roomOf(roomId: RoomId): Count {
  const room = node.rooms.find(roomId);
  assert.ok(room instanceof GameRoom);
  return room as Count;
}

/**
 * A life in which Ada has scored 7, and that has handed over.
 * @param meanwhile while the process that handed over still listens
 */
async function formerLife(meanwhile = async (_life: { seat: TestSeat }) => {}) {
  node = new TestNode({ games: { count: Count } });
  await node.start();
  const seat = await node.seat("count");
  const player = await node.join<{ score: number }>(seat);
  player.reconnection.enabled = false;
  const { roomId } = seat.answer;
  const room = roomOf(roomId);
  room.state.score = 7;
  const released: RoomId[] = [];
  const closed = new Promise<number>((resolve) => player.onLeave.once(resolve));
  const handOver = handOverOf(node, released);
  node.handedOver = () => handOver.given;
  assert.equal(await handOver.give(), true);
  assert.equal(await closed, 1001, "the player is sent off to come back");
  assert.deepEqual(released, [roomId]);
  await meanwhile({ seat });
  await room.disconnect();
  assert.deepEqual(seen, [], "nobody left, and nothing ended: the room goes on");
  await node.stop();
  return { seat, roomId };
}

test("the next life goes on with the room and with the player's seat", async () => {
  const { seat, roomId } = await formerLife();
  node = new TestNode({ games: { count: Count } });
  await node.start();
  const handOver = handOverOf(node, []);
  await handOver.take();
  assert.deepEqual(handOver.taken, {
    restored: [{ roomId, game: "count", players: 1 }],
    afresh: [],
  });
  assert.equal(existsSync(file), false, "what was taken is gone");
  const room = roomOf(roomId);
  assert.equal(room.state.score, 7);
  assert.ok(room.formerEpoch, "whose state it is");
  assert.deepEqual(node.ledger.counts(systemClock.monotonicMs()), { connected: 0, reserved: 1 });

  const { sessionId } = seat.answer;
  const { sub: playerId, reconnectionToken } = seat.claims;
  const back = { kind: "reconnect", playerId, roomId, sessionId, reconnectionToken } as const;
  const answer: ReserveAnswer = await node.matchmaker.reserve(back);
  const returned = await node.join(
    node.ticketFor(answer, { reconnectionToken }),
    reconnectionToken,
  );
  await until(() => seen.includes("resume Ada"));
  assert.equal(returned.sessionId, sessionId);
  const other = { ...back, playerId: back.sessionId as unknown as typeof playerId };
  await assert.rejects(node.matchmaker.reserve(other), { kind: "reconnect_expired" });
  await returned.leave();
});

test("who is back before the former life has ended is sent off once more", async () => {
  const { seat } = await formerLife(async ({ seat }) => {
    const returning = `${seat.url}&reconnectionToken=${seat.claims.reconnectionToken}`;
    // Any other code is final for stock clients, and the room is not lost.
    assert.deepEqual(await closeOf(returning), { code: 1001, reason: "going_away" });
  });
  node = new TestNode({ games: { count: Count } });
  await node.start();
  await handOverOf(node, []).take();
  const { reconnectionToken } = seat.claims;
  const back = await node.join(
    node.ticketFor(seat.answer, { reconnectionToken }),
    reconnectionToken,
  );
  assert.equal(back.sessionId, seat.answer.sessionId);
  await back.leave();
});

test("a session that the core ends after the move is expected no longer", async () => {
  const { seat, roomId } = await formerLife();
  node = new TestNode({ games: { count: Count } });
  await node.start();
  await handOverOf(node, []).take();
  const { sessionId } = seat.answer;
  const room = roomOf(roomId);
  assert.equal(room.players.size, 1);
  await node.matchmaker.evict({ roomId, sessionId, kind: "session_taken_over" });
  assert.equal(room.players.size, 0);
  assert.deepEqual(seen, ["exit"]);
  assert.deepEqual(node.ledger.counts(systemClock.monotonicMs()), { connected: 0, reserved: 0 });
});

test("a session that the core ends while its player plays is not kept as if it had dropped", async () => {
  node = new TestNode({ games: { count: Count } });
  await node.start();
  const seat = await node.seat("count");
  const player = await node.join(seat);
  const { roomId, sessionId } = seat.answer;
  await until(() => roomOf(roomId).players.size === 1, "the player");
  const closed = new Promise<number>((resolve) => player.onLeave.once(resolve));
  await node.matchmaker.evict({ roomId, sessionId, kind: "session_taken_over" });
  assert.equal(await closed, 4408, "and a stock client takes that for final");
  assert.equal(seen[0], "exit", "not away");
  assert.deepEqual(node.ledger.counts(systemClock.monotonicMs()), { connected: 0, reserved: 0 });
});

test("a ticket of the former life brings its player back, and no newcomer in", async () => {
  const { seat } = await formerLife();
  node = new TestNode({ games: { count: Count } });
  await node.start();
  const handOver = handOverOf(node, []);
  await handOver.take();
  assert.deepEqual([...handOver.formerLives], [node.nodeId]);
  const former = NodeId.parse("testing-9");
  const { reconnectionToken } = seat.claims;
  const old = node.ticketFor(
    { ...seat.answer, nodeId: former },
    { aud: former, reconnectionToken },
  );
  const refused = node.join(old, reconnectionToken);
  await assert.rejects(refused, "a life whose rooms are elsewhere");
  node.formerLives.add(former);
  await assert.rejects(node.join(old), "without the reconnection token");
  const back = await node.join(old, reconnectionToken);
  assert.equal(back.sessionId, seat.answer.sessionId);
  await back.leave();
});

test("a room whose state has other fields now starts afresh, under its id", async () => {
  const { roomId } = await formerLife();
  node = new TestNode({ games: { count: OtherCount } });
  await node.start();
  const handOver = handOverOf(node, []);
  await handOver.take();
  const why = "its state has other fields than the code it was saved with";
  assert.deepEqual(handOver.taken, { restored: [], afresh: [{ roomId, game: "count", why }] });
  assert.equal(roomOf(roomId).state.score, 0);
});

test("without the core nothing is given, and the room plays on", async () => {
  node = new TestNode({ games: { count: Count } });
  await node.start();
  const room = await node.rooms.create(GameName.parse("count"), {});
  assert.ok(room instanceof Count);
  const handOver = handOverOf(node, [], new MeridianError("unavailable"));
  assert.equal(await handOver.give(), false);
  assert.equal(existsSync(file), false);
  const { tick } = room;
  await until(() => room.tick > tick, "the room's next tick");
});

test("a file that is too old or none of ours gives nothing, and is gone", async () => {
  node = new TestNode({ games: {} });
  await node.start();
  writeHandOver(file, { lives: [node.nodeId], rooms: [] }, systemClock.nowMs() - 60_000);
  assert.equal(takeHandOver(file, systemClock.nowMs()), undefined);
  assert.equal(existsSync(file), false);
  writeFileSync(file, "nonsense");
  const handOver = handOverOf(node, []);
  await handOver.take();
  assert.deepEqual(handOver.taken, { restored: [], afresh: [] });
  assert.equal(existsSync(file), false);
});
