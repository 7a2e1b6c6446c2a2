/**
 * Players who read slower than their room writes: each ends with the room's state, or is closed with
 * the code that means "come back for a fresh one". Never a state that is wrong for good, which is what
 * the stock transport leaves after the first delta it drops; and never more memory than the limit.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { Room } from "@colyseus/core";
import { Encoder, schema, t } from "@colyseus/schema";
import { TestNode, type TestSeat } from "./test-node.ts";
import { until } from "./test-tickets.ts";

const ROWS = 48;
const ROW_BYTES = 720;
const PATCH_BYTES_MAX = ROWS * 1_000;
const STEPS = 300;
const BACKPRESSURE_BYTES_MAX = 256 * 1_024;
/** Told to come back, or cut because not even that was read: after both a client reconnects. */
const COME_BACK = new Set([4010, 1006]);
const JOIN_FRAME = Buffer.from([0x82, 0x81, 0, 0, 0, 0, 10]);

/** Or else the encoder makes each patch twice, and says so. */
Encoder.BUFFER_SIZE = 128 * 1_024;

const State = schema({ rows: t.map("string"), step: t.number().default(0) });
type State = InstanceType<typeof State>;

/** Writes only when it is told to. */
class Feed extends Room<{ state: State }> {
  override state = new State();
  override patchRate = null;

  write(): void {
    this.state.step += 1;
    for (let row = 0; row < ROWS; row += 1) {
      this.state.rows.set(`${row}`, randomBytes(ROW_BYTES).toString("base64"));
    }
    this.broadcastPatch();
  }
}

const limits = { backpressureBytesMax: BACKPRESSURE_BYTES_MAX };
const node = new TestNode({ games: { feed: Feed }, limits });
before(() => node.start());
after(() => node.stop());

function feedOf(seat: TestSeat): Feed {
  const room = node.rooms.find(seat.answer.roomId);
  assert.ok(room instanceof Feed);
  return room;
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Between one player and the node; while it is paused the player reads nothing. */
class Valve {
  readonly #server: Server;
  #upstream: Socket | undefined;

  constructor() {
    this.#server = createServer((client) => {
      const upstream = connect(node.transport.port, "127.0.0.1");
      this.#upstream = upstream;
      client.on("data", (chunk) => upstream.write(chunk));
      upstream.on("data", (chunk) => client.write(chunk));
      upstream.on("end", () => client.end());
      for (const socket of [client, upstream]) socket.on("error", () => upstream.destroy());
      client.on("close", () => upstream.destroy());
    });
  }

  async open(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  pause(): void {
    this.#upstream?.pause();
  }

  resume(): void {
    this.#upstream?.resume();
  }

  close(): void {
    this.#server.close();
  }
}

async function reader() {
  const valve = new Valve();
  const address = await valve.open();
  const seat = await node.seat("feed");
  const { reservation } = seat;
  const publicAddress = reservation.publicAddress.replace(node.address, address);
  const room = await node.join<State>({ reservation: { ...reservation, publicAddress } });
  room.reconnection.enabled = false;
  const reading = { seat, room, valve, closedWith: undefined as number | undefined };
  room.onLeave((code) => {
    reading.closedWith = code;
  });
  return reading;
}

test("a slow reader ends with the room's state, or is closed for a resync", async () => {
  const readers = await Promise.all(Array.from({ length: 6 }, reader));
  const [first] = readers;
  assert.ok(first);
  const feed = feedOf(first.seat);
  await until(() => feed.clients.every(({ state }) => state === 1), "the joins");
  for (const { valve } of readers) valve.pause();
  for (let step = 1; step <= STEPS; step += 1) {
    feed.write();
    await turn();
    // The first reads again after a few patches, the last when all is over.
    readers[Math.floor((step - 5) / 55)]?.valve.resume();
  }
  for (const { valve } of readers) valve.resume();
  const wanted = () => JSON.stringify(feed.state.toJSON());
  const settled = () =>
    readers.every(({ room, closedWith }) => {
      return closedWith !== undefined || JSON.stringify(room.state.toJSON()) === wanted();
    });
  await until(settled, "each one's end");
  const closed = readers.flatMap(({ closedWith }) => closedWith ?? []);
  assert.ok(closed.length > 0, "nobody was slow enough");
  assert.ok(closed.length < readers.length, "nobody was fast enough");
  assert.ok(
    closed.every((code) => COME_BACK.has(code)),
    closed.join(),
  );
  for (const { room, valve, closedWith } of readers) {
    if (closedWith === undefined) await room.leave();
    valve.close();
  }
});

/** Joins by hand, and reads nothing from then on. */
async function deaf(): Promise<{ socket: Socket; seat: TestSeat }> {
  const seat = await node.seat("feed");
  const socket = connect(node.transport.port, "127.0.0.1");
  const key = randomBytes(16).toString("base64");
  socket.write(
    `GET ${seat.url.slice(seat.url.indexOf("/t/"))} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n` +
      `Connection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  );
  await once(socket, "data");
  socket.write(JOIN_FRAME);
  socket.pause();
  return { socket, seat };
}

test("many who never read cost no more than their limit", { timeout: 20_000 }, async () => {
  const READERS = 10;
  const deafs = await Promise.all(Array.from({ length: READERS }, deaf));
  const [first] = deafs;
  assert.ok(first);
  const feed = feedOf(first.seat);
  await until(() => feed.clients.every(({ state }) => state === 1), "the joins");
  const usedBytes = () => {
    const { rss, arrayBuffers } = process.memoryUsage();
    return { rss, arrayBuffers };
  };
  feed.write();
  const resyncsBefore = await node.closes("resync");
  const before = usedBytes();
  const peak = { ...before };
  for (let step = 0; feed.clients.length > 0; step += 1) {
    assert.ok(step < 2_000, "no limit was reached");
    feed.write();
    await turn();
    const now = usedBytes();
    peak.rss = Math.max(peak.rss, now.rss);
    peak.arrayBuffers = Math.max(peak.arrayBuffers, now.arrayBuffers);
  }
  assert.equal(await node.closes("resync"), resyncsBefore + READERS);
  const boundBytes = READERS * (BACKPRESSURE_BYTES_MAX + PATCH_BYTES_MAX);
  const slackBytes = 64 * 1_024 * 1_024;
  assert.ok(peak.rss - before.rss < boundBytes + slackBytes, JSON.stringify({ before, peak }));
  assert.ok(peak.arrayBuffers - before.arrayBuffers < slackBytes, JSON.stringify({ before, peak }));
  await until(() => node.connections() === 0, "the cut of all");
  for (const { socket } of deafs) socket.destroy();
});
