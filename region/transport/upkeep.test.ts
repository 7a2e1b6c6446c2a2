/** Quiet connections are kept visibly alive in every kind of room; unacknowledged joins end. */
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { type Client, Room } from "@colyseus/core";
import { schema, t } from "@colyseus/schema";
import { Room as SdkRoom } from "@colyseus/sdk";
import { FakeClock } from "../../shared/fake-clock.ts";
import { GameRoom } from "../rooms/game-room.ts";
import { KEEP_ALIVE_FRAME, KEEP_ALIVE_MS } from "./keep-alive.ts";
import { TestNode } from "./test-node.ts";
import { until } from "./test-tickets.ts";
import { ACKNOWLEDGE_MS } from "./upkeep.ts";

const State = schema({ steps: t.number().default(0) }, "QuietState");
class Quiet extends GameRoom {
  static override State = State;
}
class PlainQuiet extends Room {
  override autoDispose = false;
  override onDrop(client: Client): void {
    void this.allowReconnection(client, 5);
  }
}

const JOIN_ROOM = 10;
const KEEP_ALIVE = Buffer.from(KEEP_ALIVE_FRAME);
const clock = new FakeClock();
const node = new TestNode({ games: { quiet: Quiet, plain: PlainQuiet }, clock });
before(() => node.start());
afterEach(async () => {
  await until(() => node.connections() === 0, "all connections' end");
  assert.deepEqual(node.failures, []);
});
after(async () => {
  await node.stop();
  assert.equal(clock.pending, 0, "the timer ends with the transport");
});

/** Bytes that the passing of that time alone makes the node send. */
function sentWithin(ms: number): number {
  const bytesSent = node.bytesSent();
  clock.advance(ms);
  return node.bytesSent() - bytesSent;
}

/** A bare websocket that has joined, and what it was sent from then on. */
async function enter(game: string, acknowledges = true) {
  const seat = await node.seat(game);
  const socket = new WebSocket(seat.url);
  socket.binaryType = "arraybuffer";
  await new Promise((resolve) => socket.addEventListener("message", resolve, { once: true }));
  const received: Uint8Array[] = [];
  socket.addEventListener("message", ({ data }) => received.push(new Uint8Array(data)));
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.addEventListener("close", ({ code, reason }) => resolve({ code, reason }));
  });
  if (acknowledges) socket.send(Uint8Array.of(JOIN_ROOM));
  const clients = node.rooms.find(seat.answer.roomId)?.clients;
  await until(() => !acknowledges || clients?.[0]?.state === 1, "the join");
  return { socket, received, closed, client: clients?.[0] };
}

for (const game of ["quiet", "plain"]) {
  test(`${game}: a connection that was sent nothing for a while gets a keep-alive`, async () => {
    const { socket, received, client } = await enter(game);
    for (let sweep = 0; sentWithin(KEEP_ALIVE_MS / 2) === 0; sweep += 1) assert.ok(sweep < 4);
    for (let period = 0; period < 3; period += 1) {
      assert.equal(sentWithin(KEEP_ALIVE_MS / 2), 0);
      assert.equal(sentWithin(KEEP_ALIVE_MS / 2), KEEP_ALIVE.length);
    }
    for (let news = 0; news < 3; news += 1) {
      client?.send("news");
      assert.equal(sentWithin(KEEP_ALIVE_MS), 0, "what was sent is a sign of life, too");
    }
    assert.equal(sentWithin(KEEP_ALIVE_MS / 2), KEEP_ALIVE.length);
    const keepAlives = () => received.filter((frame) => KEEP_ALIVE.equals(frame)).length;
    await until(() => keepAlives() === 5, "all of them");
    socket.close();
  });
}

test("a join that is never acknowledged ends, and with it what waits for it", async () => {
  const { closed, received } = await enter("plain", false);
  clock.advance(ACKNOWLEDGE_MS - KEEP_ALIVE_MS);
  assert.equal(node.connections(), 1);
  // It is looked at every half period, from some moment of the first on.
  clock.advance(KEEP_ALIVE_MS * 1.5);
  assert.deepEqual(await closed, { code: 4010, reason: "resync" });
  assert.deepEqual(received, [], "no keep-alive before the join");
});

test("those who are quiet together are not sent to all at once", async () => {
  const entered = await Promise.all(Array.from({ length: 20 }, () => enter("plain")));
  let most = 0;
  let all = 0;
  for (let ms = 0; ms < KEEP_ALIVE_MS * 2; ms += 5) {
    const sent = sentWithin(5) / KEEP_ALIVE.length;
    most = Math.max(most, sent);
    all += sent;
  }
  assert.ok(all >= 20, `${all} keep-alives`);
  assert.ok(most <= 2, `${most} of them at once`);
  for (const { socket } of entered) socket.close();
});

test("a stock client takes no notice of a keep-alive", () => {
  const sdk = new SdkRoom("idle");
  const noticed: unknown[] = [];
  const notice = (...args: unknown[]) => noticed.push(args);
  sdk.onMessage("*", notice);
  for (const signal of [sdk.onStateChange, sdk.onError, sdk.onLeave]) signal(notice);
  const { warn, error, info } = console;
  Object.assign(console, { warn: notice, error: notice, info: notice });
  try {
    const data = KEEP_ALIVE_FRAME;
    (sdk as unknown as { onMessageCallback(e: object): void }).onMessageCallback({ data });
  } finally {
    Object.assign(console, { warn, error, info });
  }
  assert.deepEqual(noticed, []);
});
