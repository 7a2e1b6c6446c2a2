/** What bad or slow clients get: a typed close, at a bounded cost, and nobody else notices. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { after, afterEach, before, test } from "node:test";
import { type Client, Room } from "@colyseus/core";
import { RoomClient } from "./room-client.ts";
import { closeOf, TestNode, type TestSeat } from "./test-node.ts";
import { until } from "./test-tickets.ts";

const received: unknown[] = [];

class AnyRoom extends Room {
  override onCreate(): void {
    this.onMessage("*", (_client: Client, type: unknown, message: unknown) => {
      received.push([type, message]);
    });
    this.onMessageBytes("bytes", (_client: Client, bytes: Uint8Array) => received.push(bytes));
    this.onMessage("fail", () => {
      throw new Error("the game's own mistake");
    });
  }
}

const LIMITS = {
  messagesPerSecondMax: 20,
  frameBytesMax: 1_024,
  backpressureBytesMax: 64 * 1_024,
  connectionsMax: 8,
  beaconsMax: 6,
};
const node = new TestNode({ games: { any: AnyRoom }, limits: LIMITS });
before(() => node.start());
afterEach(async () => {
  await until(() => node.connections() === 0, "all connections' end");
  received.length = 0;
  node.failures.length = 0;
});
after(() => node.stop());

const JOIN_ROOM = 10;
const ROOM_DATA = 13;
const ROOM_REQUEST = 21;
const PONG_FRAME = Uint8Array.of(18);

/** A bare websocket that has joined: the join frame is acknowledged. */
async function enter(seat?: TestSeat): Promise<WebSocket> {
  const socket = new WebSocket((seat ?? (await node.seat("any"))).url);
  socket.binaryType = "arraybuffer";
  await new Promise((resolve) => socket.addEventListener("message", resolve, { once: true }));
  socket.send(Uint8Array.of(JOIN_ROOM));
  return socket;
}

function closing(socket: WebSocket): Promise<{ code: number; reason: string }> {
  return new Promise((resolve) => {
    socket.addEventListener("close", ({ code, reason }) => resolve({ code, reason }));
  });
}

/** Speaks HTTP by hand, and stops reading at the test's word. */
async function handshake(seat: TestSeat): Promise<Socket> {
  const { port } = node.transport;
  const socket = connect(port, "127.0.0.1");
  const path = seat.url.slice(seat.url.indexOf("/t/"));
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  );
  await new Promise((resolve) => socket.once("data", resolve));
  return socket;
}

/** A masked binary frame, as clients send them. */
function clientFrame(payload: Uint8Array): Buffer {
  assert.ok(payload.length < 126);
  return Buffer.from([0x82, 0x80 | payload.length, 0, 0, 0, 0, ...payload]);
}

test("a reader that falls behind is closed for a resync, with bounded memory", async () => {
  const seat = await node.seat("any");
  const socket = await handshake(seat);
  socket.write(clientFrame(Uint8Array.of(JOIN_ROOM)));
  const room = node.rooms.find(seat.answer.roomId);
  await until(() => room?.clients[0]?.state === 1, "the join");
  const client = room?.clients[0];
  assert.ok(client instanceof RoomClient);
  socket.pause();
  const frame = new Uint8Array(8 * 1_024);
  let sent = 0;
  while (client.readyState === 1) {
    client.raw(frame);
    sent += 1;
    assert.ok(sent < 10_000, "no limit was reached");
  }
  assert.equal(await node.closes("resync"), 1);
  const bytesSent = node.bytesSent();
  client.raw(frame);
  assert.equal(node.bytesSent(), bytesSent, "nothing is sent after the first dropped message");

  const chunks: Buffer[] = [];
  socket.on("data", (chunk: Buffer) => chunks.push(chunk));
  socket.resume();
  await new Promise((resolve) => socket.once("close", resolve));
  const all = Buffer.concat(chunks);
  const reason = Buffer.from("resync");
  const close = Buffer.concat([
    Buffer.from([0x88, 2 + reason.length, 4010 >> 8, 4010 & 255]),
    reason,
  ]);
  assert.ok(all.subarray(-close.length).equals(close), "the last frame is the close with its code");
});

test("a reader that never reads again is cut", { timeout: 10_000 }, async () => {
  const seat = await node.seat("any");
  const socket = await handshake(seat);
  const room = node.rooms.find(seat.answer.roomId);
  await until(() => room?.clients.length === 1, "the client");
  socket.pause();
  const client = room?.clients[0];
  assert.ok(client instanceof RoomClient);
  while (client.readyState === 1) client.raw(new Uint8Array(8 * 1_024));
  await until(() => node.connections() === 0, "the cut");
  socket.destroy();
});

test("what waits for a client that never acknowledges its join is bounded", async () => {
  const seat = await node.seat("any");
  const socket = new WebSocket(seat.url);
  await new Promise((resolve) => socket.addEventListener("message", resolve, { once: true }));
  const room = node.rooms.find(seat.answer.roomId);
  const client = room?.clients[0];
  assert.ok(client instanceof RoomClient);
  const closed = closing(socket);
  let waiting = 0;
  for (let sent = 0; sent < 10_000; sent += 1) {
    room?.broadcast("news", "x".repeat(100));
    waiting = Math.max(waiting, client._enqueuedMessages?.length ?? 0);
  }
  assert.deepEqual(await closed, { code: 4010, reason: "resync" });
  assert.ok(waiting > 100 && waiting * 100 < LIMITS.backpressureBytesMax, `${waiting} waited`);
  assert.deepEqual(client._enqueuedMessages, []);
});

test("a message over the limit is told so", async () => {
  const socket = await enter();
  socket.send(new Uint8Array(LIMITS.frameBytesMax + 1));
  assert.deepEqual(await closing(socket), { code: 1009, reason: "payload_too_large" });
});

test("a message far over the limit is cut off before it has arrived", async () => {
  const socket = await enter();
  socket.send(new Uint8Array(LIMITS.frameBytesMax * 3));
  assert.equal((await closing(socket)).code, 1006);
});

test("a flood is ended before it is parsed", async () => {
  const socket = await enter();
  for (let sent = 0; sent < 100; sent += 1) socket.send(PONG_FRAME);
  assert.deepEqual(await closing(socket), { code: 4429, reason: "too_many_messages" });
});

test("text is no part of the protocol", async () => {
  const socket = await enter();
  socket.send("hello");
  assert.deepEqual(await closing(socket), { code: 4400, reason: "invalid_message" });
});

test("an empty message is nothing", async () => {
  const socket = await enter();
  socket.send(new Uint8Array(0));
  socket.send(PONG_FRAME);
  const answer = await new Promise<MessageEvent>((resolve) => {
    socket.addEventListener("message", resolve, { once: true });
  });
  assert.deepEqual(new Uint8Array(answer.data), PONG_FRAME);
  socket.close();
});

test("whatever bytes come, the process lives and the others play on", async () => {
  const bystander = await enter();
  const seeds = [...Array(40).keys()];
  for (const seed of seeds) {
    const socket = await enter();
    const closed = closing(socket);
    for (let index = 0; index < 15; index += 1) {
      const code = [10, 11, 12, 13, 14, 17, 18, 19, 20, 21, 22][(seed + index) % 11] ?? 13;
      socket.send(Buffer.concat([Buffer.of(code | ((seed % 8) << 5)), randomBytes(seed)]));
    }
    socket.close();
    await closed;
  }
  assert.equal(bystander.readyState, WebSocket.OPEN);
  bystander.close();
});

test("a truncated message ends only its sender", async () => {
  const socket = await enter();
  // Type "x", then a map of two entries that are not there.
  socket.send(Uint8Array.of(ROOM_DATA, 0xa1, 0x78, 0x82));
  assert.deepEqual(await closing(socket), { code: 4400, reason: "invalid_message" });
});

test("a message that would unfold to gigabytes is not unfolded", { timeout: 5_000 }, async () => {
  const reference = (id: number) => [0xd6, 0x70, 0, 0, 0, id];
  const levels = Array.from({ length: 40 }, (_, level) => {
    return [0xd6, 0x69, 0, 0, 0, level + 1, 0x92, ...reference(level), ...reference(level)];
  });
  const payload = [0xdc, 0, 41, 0xd6, 0x69, 0, 0, 0, 0, 0x91, 1, ...levels.flat(), 0xc0];
  for (const head of [
    [ROOM_DATA, 0xa1, 0x78],
    [ROOM_REQUEST, 1, 0xa1, 0x78],
  ]) {
    const socket = await enter();
    socket.send(Uint8Array.from([...head, ...payload]));
    assert.deepEqual(await closing(socket), { code: 4400, reason: "invalid_message" });
  }
  assert.deepEqual(received, []);
});

test("a client can't call the handler of other names, or of bytes, by Colyseus' own name", async () => {
  for (const name of ["*", "_$bbytes"]) {
    const room = await node.join(await node.seat("any"));
    const left = new Promise((resolve) => room.onLeave(resolve));
    room.send(name, { toString: "not a function" });
    assert.equal(await left, 4400);
  }
  assert.deepEqual(received, []);
});

test("a handler that throws is the room's affair: the player stays", async () => {
  const room = await node.join(await node.seat("any"));
  room.send("fail");
  await until(() => node.failures.length === 1, "the report");
  assert.equal(node.failures[0]?.method, "onMessage");
  assert.equal(room.connection.isOpen, true);
  await room.leave();
});

test("what a room keeps of a message stays as it was", async () => {
  const room = await node.join(await node.seat("any"));
  room.sendBytes("bytes", Uint8Array.of(1, 2, 3));
  room.send("packed", { blob: Uint8Array.of(4, 5, 6) });
  await until(() => received.length === 2, "both");
  await room.leave();
  const [bytes, packed] = received;
  assert.deepEqual([...(bytes as Uint8Array)], [1, 2, 3]);
  assert.deepEqual(packed, ["packed", { blob: Buffer.from([4, 5, 6]) }]);
});

test("beacons and returns are bounded, and a fresh ticket is good whatever they do", async () => {
  const ping = `ws://${node.address}/ping`;
  const beacons = Array.from({ length: LIMITS.beaconsMax }, () => new WebSocket(ping));
  await until(() => node.connections() === LIMITS.beaconsMax, "the beacons");
  assert.equal((await closeOf(ping)).code, 1006);

  const seats = await Promise.all(
    Array.from({ length: LIMITS.connectionsMax + 1 }, () => node.seat("any")),
  );
  const players = await Promise.all(seats.map((seat) => enter(seat)));
  const [first] = seats;
  assert.ok(first);
  const returning = `${first.url}&reconnectionToken=${first.claims.reconnectionToken}`;
  assert.equal((await closeOf(returning)).code, 1006, "past the limit nobody returns");
  for (const socket of [...players, ...beacons]) socket.close();
});

test("a room may go on using a client whose connection is gone", async () => {
  const seat = await node.seat("any");
  const socket = await enter(seat);
  const room = node.rooms.find(seat.answer.roomId);
  const client = room?.clients[0];
  assert.ok(client instanceof RoomClient);
  socket.close();
  await until(() => node.connections() === 0, "the close");
  client.send("late", 1);
  client.sendBytes("late", Uint8Array.of(1));
  client.error(4002, "late");
  client.leave(4000, "late");
  client.leave();
  assert.equal(client.readyState, 3);
});
