/**
 * The whole ladder, up and down, on a real node with real clients: what is given up at each level, who is
 * sent away, and that nobody who plays, nor anyone with a ticket or a kept seat, notices more than slower patches.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Room } from "@colyseus/core";
import { type SchemaType, schema, t } from "@colyseus/schema";
import { z } from "zod";
import { FakeClock } from "../../shared/fake-clock.ts";
import { GameName, RoomId } from "../../shared/ids.ts";
import { createLog } from "../../shared/log.ts";
import type { OverloadLevel } from "../../shared/protocol/overload.ts";
import { GameRoom } from "../rooms/game-room.ts";
import { handler } from "../rooms/message-handler.ts";
import type { Player } from "../rooms/player.ts";
import { KEEP_ALIVE_MS } from "../transport/keep-alive.ts";
import { closeOf, TestNode, type TestSeat } from "../transport/test-node.ts";
import { until } from "../transport/test-tickets.ts";
import { IDLE_MS, IDLE_ROOMS_A_STEP_MAX, OverloadGate } from "./overload-gate.ts";
import { SLOWEST_MS } from "./patch-pace.ts";
import { spectatorsOf } from "./shedding.ts";
import { NOTHING_TO_DO, SAMPLE_MS, type Sample } from "./thresholds.ts";

/** Longer than the test in its own time. */
const HOLD_MS = 600_000;
const PATCHES = 10;

const FieldState = schema({ steps: t.number().default(0) }, "OverloadFieldState");
const watching = new Set<string>();
let mistaken = false;
class Field extends GameRoom<SchemaType<typeof FieldState>> {
  static override State = FieldState;
  override maxClients = 4;
  override readonly reconnectGraceMs = HOLD_MS;
  override messages = {
    echo: handler(z.string(), (player, text) => player.send("echo", text)),
  };
  override isSpectator({ sessionId }: Player): boolean {
    if (mistaken) throw new Error("a mistake of the game");
    return watching.has(sessionId);
  }
}
class Slow extends Field {
  override patchRate: number | null = SLOWEST_MS + 100;
}
class ByHand extends Field {
  override patchRate: number | null = null;
}
class Lasting extends Field {
  override autoDispose = false;
}
class PlainLasting extends Room {
  override autoDispose = false;
  override patchRate = 20;
}

const clock = new FakeClock();
const games = { field: Field, slow: Slow, byHand: ByHand, lasting: Lasting, plain: PlainLasting };
const node = new TestNode({ games, clock });
let sample: Sample = NOTHING_TO_DO;
const gate = new OverloadGate({
  sample: () => sample,
  rooms: node.rooms,
  evict: (session) => node.matchmaker.evict(session),
  clock,
  log: createLog("region", "silent"),
  metrics: node.metrics,
});
node.granting = () => gate.granting;
before(async () => {
  await node.start();
  gate.start();
});
after(async () => {
  gate.stop();
  await node.stop();
});

/** Time passes sample by sample, and what it sets going has its turn. */
async function pass(ms: number): Promise<void> {
  for (let passedMs = 0; passedMs < ms; passedMs += SAMPLE_MS) {
    clock.advance(SAMPLE_MS);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Until the gate is there, and rooms have the pace of that level. */
async function untilLevel(level: OverloadLevel, loopDelay: number): Promise<void> {
  sample = { ...NOTHING_TO_DO, loopDelay };
  for (let step = 0; gate.level !== level; step += 1) {
    assert.ok(step < 200, `it stays at ${gate.level} and never is at ${level}`);
    await pass(SAMPLE_MS);
  }
  await pass(SAMPLE_MS);
}

function roomOf({ answer }: Pick<TestSeat, "answer">): Room {
  const room = node.rooms.find(answer.roomId);
  assert.ok(room);
  return room;
}

async function newRoom(game: keyof typeof games): Promise<Room> {
  return node.rooms.create(GameName.parse(game), {});
}

async function seatIn(game: keyof typeof games): Promise<TestSeat> {
  return node.ticketFor(await node.reserve(game, "create", HOLD_MS));
}

/** Somebody in a room, who takes note of each end of the connection. */
async function enter(seat: TestSeat) {
  const client = await node.join<{ steps: number }>(seat);
  client.reconnection.enabled = false;
  const ends: { code: number; reason: string | undefined }[] = [];
  client.onLeave((code, reason) => ends.push({ code, reason }));
  const { sessionId } = seat.answer;
  await until(() => roomOf(seat).clients.get(sessionId)?.state === 1, "the join");
  const echo = async (text: string) => {
    const echoed = new Promise((resolve) => client.onMessage("echo", resolve));
    client.send("echo", text);
    assert.equal(await echoed, text);
  };
  return { seat, client, ends, echo };
}

async function counted(name: string): Promise<Record<string, number>> {
  const metric = await node.metrics.getSingleMetric(name)?.get();
  const values = metric?.values.map(({ labels, value }) => [Object.values(labels)[0], value]);
  return Object.fromEntries(values ?? []);
}

/** How long that many patches take to reach the client, ms. */
async function spanOfPatches({ client, seat }: Awaited<ReturnType<typeof enter>>): Promise<number> {
  const room = roomOf(seat) as Field;
  const changing = setInterval(() => {
    room.state.steps += 1;
  }, 2);
  const times: number[] = [];
  const note = () => times.push(performance.now());
  client.onStateChange(note);
  await until(() => times.length >= PATCHES, "patches");
  client.onStateChange.remove(note);
  clearInterval(changing);
  return (times[PATCHES - 1] ?? 0) - (times[0] ?? 0);
}

test("up the whole ladder and down again", { timeout: 30_000 }, async () => {
  const player = await enter(await seatIn("field"));
  const watchers = [];
  for (let n = 0; n < 2; n += 1) {
    const watcher = await enter(node.ticketFor(await node.reserve("field", "joinOrCreate")));
    watching.add(watcher.seat.answer.sessionId);
    watchers.push(watcher);
  }
  const [first, second] = watchers;
  assert.ok(first && second);
  const quiet = await enter(await seatIn("byHand"));
  const slow = await enter(await seatIn("slow"));
  const dropped = await enter(await seatIn("lasting"));
  dropped.client.connection.close();
  const { sessionId: droppedId } = dropped.seat.answer;
  await until(() => node.ledger.get(droppedId)?.state === "dropped", "the drop");
  const holder = await seatIn("lasting");
  const plain = await newRoom("plain");
  const idle = await Promise.all(
    Array.from({ length: IDLE_ROOMS_A_STEP_MAX }, () => newRoom("lasting")),
  );
  idle.push(plain);
  const rooms = [player, slow, quiet].map(({ seat }) => roomOf(seat));
  const rates = () => [...rooms, plain].map(({ patchRate }) => patchRate);
  const mine = rooms[0] as Room;
  assert.deepEqual(rates(), [50, 300, null, 20]);

  await untilLevel("slow_patches", 1.2);
  assert.deepEqual(rates(), [100, 300, null, 40]);
  // At its own rate they would come within 450 ms.
  assert.ok((await spanOfPatches(player)) > (PATCHES - 1) * 70, "patches come at half the rate");
  const bytesSent = node.bytesSent();
  await pass(2 * KEEP_ALIVE_MS);
  assert.ok(node.bytesSent() > bytesSent, "keep-alives go on");
  mine.patchRate = 60;
  const late = await newRoom("field");
  await pass(2 * SAMPLE_MS);
  assert.equal(mine.patchRate, 120, "what a game sets is slowed down, too");
  assert.equal(late.patchRate, 100, "and a new room");
  await node.rooms.end(late);

  await untilLevel("no_rooms", 1.7);
  const overloaded = { kind: "overloaded", retryable: true, retryAfterMs: 5_000 };
  await assert.rejects(node.reserve("field", "create"), overloaded);
  const fourth = await node.reserve("field");
  assert.equal(fourth.roomId, player.seat.answer.roomId, "a place in a room that there is");
  await assert.rejects(node.reserve("field"), overloaded, "which is full now");
  await node.matchmaker.release(fourth);

  await untilLevel("no_seats", 3);
  await assert.rejects(node.reserve("field"), overloaded);
  await assert.rejects(node.reserve("lasting", "join"), overloaded);
  const renewal = { kind: "renew", holdMs: HOLD_MS, ...holder.answer } as const;
  const renewed = await node.matchmaker.reserve(renewal);
  assert.equal(renewed.sessionId, holder.answer.sessionId, "a ticket is renewed");
  const { roomId, sessionId, sub: playerId, reconnectionToken } = dropped.seat.claims;
  const back = { kind: "reconnect", roomId, sessionId, playerId, reconnectionToken } as const;
  assert.equal((await node.matchmaker.reserve(back)).sessionId, sessionId);
  assert.deepEqual(await counted("meridian_region_overload_shed_total"), {});
  await first.echo("not that idle");
  const order = spectatorsOf(node.rooms.present).map((spectator) => spectator.player.sessionId);
  assert.deepEqual(
    order,
    [second, first].map(({ seat }) => seat.answer.sessionId),
  );

  // Neither is idle: one ends by itself, in the other players of a former owner are expected.
  const deserted = await newRoom("field");
  const snapshot = (mine as Field).snapshot();
  const game = GameName.parse("field");
  const expecting = await node.rooms.restore({ game, roomId: RoomId.parse("restored"), snapshot });
  mistaken = true;
  await untilLevel("shed", 6);
  assert.ok(node.failures.length > 0, "the game's mistake is reported");
  assert.ok(node.failures.every(({ method }) => method === "isSpectator"));
  assert.deepEqual(await counted("meridian_region_overload_shed_total"), {});
  node.failures.length = 0;
  mistaken = false;
  await pass(1_000);
  for (const { ends, seat } of watchers) {
    await until(() => ends.length > 0, "a spectator's end");
    assert.deepEqual(ends, [{ code: 4429, reason: "overloaded" }]);
    const again = `${seat.url}&reconnectionToken=${seat.claims.reconnectionToken}`;
    assert.equal((await closeOf(again)).reason, "overloaded", "final for that session");
    assert.equal(node.ledger.get(seat.answer.sessionId), undefined);
  }
  await pass(IDLE_MS);
  await until(() => idle.every(({ roomId }) => node.ended.includes(RoomId.parse(roomId))), "idle");
  await pass(IDLE_MS);
  const gone = new Set(node.ended);
  assert.ok([deserted, expecting].every((room) => node.rooms.present.includes(room)));
  assert.deepEqual(gone, new Set([late, ...idle].map(({ roomId }) => roomId)), "no other room");
  const shed = { spectator: watchers.length, room: idle.length };
  assert.deepEqual(await counted("meridian_region_overload_shed_total"), shed);
  await player.echo("still playing");
  const arrived = await enter(holder);
  await arrived.echo("a ticket is a seat");

  await untilLevel("calm", 0);
  assert.deepEqual(
    rooms.map(({ patchRate }) => patchRate),
    [60, 300, null],
  );
  const changes = { slow_patches: 2, no_rooms: 2, no_seats: 2, shed: 1, calm: 1 };
  assert.deepEqual(await counted("meridian_region_overload_changes_total"), changes);
  await node.reserve("field", "create");
  const returned = await node.join(dropped.seat, dropped.seat.claims.reconnectionToken);
  assert.equal(returned.sessionId, droppedId, "the kept seat was kept");
  for (const { ends, echo } of [player, quiet, slow, arrived]) {
    await echo("never disturbed");
    assert.deepEqual(ends, []);
  }
  assert.deepEqual(node.failures, []);
});
