/** What a standby does with streams that are not what they should be: it closes them, and keeps nothing. */
import assert from "node:assert/strict";
import { request } from "node:https";
import { type Duplex, PassThrough } from "node:stream";
import { after, afterEach, before, beforeEach, test } from "node:test";
import fc from "fast-check";
import { FakeClock } from "../../shared/fake-clock.ts";
import { RegionId } from "../../shared/ids.ts";
import { REPLICAS_PATH, REPLICAS_PROTOCOL } from "../../shared/protocol/failover.ts";
import { TestCore } from "../link/test-core.ts";
import { until } from "../transport/test-tickets.ts";
import { HELLO_DEADLINE_MS, InboundStream } from "./inbound-stream.ts";
import { TestStandby } from "./test-standby.ts";
import {
  bareMessage,
  frameHead,
  type Hello,
  jsonMessage,
  MessageReader,
  numberMessage,
  type OpenRoom,
} from "./wire.ts";

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 0x7fff_ffff));
const hello = {
  protocol: 1,
  regionId: "testing",
  nodeId: "testing-1",
  linkAddress: "127.0.0.1:9",
} as unknown as Hello;
const room = {
  number: 0,
  roomId: "room-1",
  game: "field",
  roomEpoch: [1, 1],
} as unknown as OpenRoom;

let core: TestCore;
let standby: TestStandby;

before(async () => {
  core = await TestCore.start();
});
after(() => core.stop());
beforeEach(async () => {
  standby = await new TestStandby("other-1", await core.credentialsOf("other")).start();
});
afterEach(() => standby.stop());

/** An open stream, and what the standby said on it. */
async function stream(): Promise<{ socket: Duplex; heard: string[] }> {
  const asking = request(`https://${standby.address.linkAddress}${REPLICAS_PATH}`, {
    ...core.regionIdentity.current,
    checkServerIdentity: () => undefined,
    agent: false,
    headers: { connection: "Upgrade", upgrade: REPLICAS_PROTOCOL },
  });
  const heard: string[] = [];
  const reader = new MessageReader();
  const socket = await new Promise<Duplex>((resolve, reject) => {
    asking.once("upgrade", (_answer, upgraded) => resolve(upgraded));
    asking.once("error", reject);
    asking.once("response", ({ statusCode }) => reject(new Error(`refused with ${statusCode}`)));
    asking.end();
  });
  socket.on("error", () => undefined);
  socket.on("data", (chunk: Buffer) => {
    for (const { type } of reader.push(chunk)) heard.push(type);
  });
  return { socket, heard };
}

async function ended(why: string): Promise<number> {
  const metric = await standby.metrics
    .getSingleMetric("meridian_region_replica_streams_ended_total")
    ?.get();
  return metric?.values.find(({ labels }) => labels.why === why)?.value ?? 0;
}

/** Sends it all, and waits for the standby to close. */
async function refusedFor(why: string, messages: readonly Uint8Array[]): Promise<void> {
  const { socket } = await stream();
  const closed = new Promise((resolve) => socket.once("close", resolve));
  for (const message of messages) socket.write(message);
  await closed;
  assert.equal(await ended(why), 1);
  assert.equal(standby.store.heldBytes, 0);
}

test("a node of another region than the certificate's is refused", async () => {
  await refusedFor("refused", [jsonMessage("hello", { ...hello, nodeId: "third-1" } as Hello)]);
});

test("a region of another name than the certificate's is refused", async () => {
  const other = { ...hello, regionId: "third", nodeId: "third-1" } as Hello;
  await refusedFor("refused", [jsonMessage("hello", other)]);
});

test("whoever says no hello first, or none of this protocol, is not listened to", async () => {
  await refusedFor("wrong", [jsonMessage("open", room)]);
});

test("a message that is too long is refused by its head", async () => {
  const head = Buffer.alloc(5);
  head.writeUInt32LE(0x7fff_ffff);
  await refusedFor("wrong", [jsonMessage("hello", hello), head]);
});

test("before the hello nothing longer than a hello is read", async () => {
  const head = Buffer.alloc(5);
  head.writeUInt32LE(2_000);
  await refusedFor("wrong", [head]);
});

test("who sends no whole hello in time is not waited for, however busy it is", async () => {
  const clock = new FakeClock();
  const socket = new PassThrough();
  const ends: string[] = [];
  new InboundStream({
    regionId: RegionId.parse("testing"),
    socket,
    store: standby.store,
    onGiven() {},
    onClosed: ({ why }) => ends.push(why),
    clock,
  });
  for (const byte of jsonMessage("hello", hello).subarray(0, 2)) {
    socket.write(Buffer.from([byte]));
    await new Promise(setImmediate);
    clock.advance(HELLO_DEADLINE_MS / 2);
  }
  await until(() => ends.length > 0, "the end");
  assert.deepEqual(ends, ["silent"]);
});

test("a number that is open already ends the stream", async () => {
  const other = { ...room, roomId: "room-2" } as OpenRoom;
  const { socket } = await stream();
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.write(jsonMessage("hello", hello));
  for (const opened of [room, other]) socket.write(jsonMessage("open", opened));
  await closed;
  assert.equal(await ended("wrong"), 1);
  assert.equal(standby.store.count, 1);
});

test("a room that is opened anew goes by its last number alone", async () => {
  const { socket, heard } = await stream();
  socket.write(jsonMessage("hello", hello));
  for (const number of [0, 1, 2]) socket.write(jsonMessage("open", { ...room, number }));
  for (const number of [0, 1]) socket.write(numberMessage("ended", number));
  socket.write(numberMessage("mark", 7));
  await until(() => heard.includes("ack"), "the answer");
  assert.equal(standby.store.count, 1);
  socket.write(numberMessage("ended", 2));
  await until(() => standby.store.count === 0, "its end");
  socket.destroy();
});

test("one region's streams take half of the places at most", async () => {
  await standby.stop();
  standby = new TestStandby("other-1", await core.credentialsOf("other"), { streamsMax: 4 });
  await standby.start();
  const streams = [await stream(), await stream()];
  await assert.rejects(stream());
  for (const { socket } of streams) socket.destroy();
});

test("a frame that is none ends the stream, and leaves the copy as it was", async () => {
  const bytes = Buffer.alloc(40);
  const { socket, heard } = await stream();
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.write(jsonMessage("hello", hello));
  socket.write(jsonMessage("open", room));
  socket.write(frameHead("frame", { number: 0, players: 1, bytes: bytes.length }));
  socket.write(bytes);
  await closed;
  assert.deepEqual(heard, ["welcome"]);
  assert.equal(await ended("wrong"), 1);
  assert.deepEqual(standby.store.of(new Set([hello.nodeId])), [], "no whole copy");
  assert.deepEqual(standby.gone, [], "a sender of nonsense is not dead");
});

test("frames of a room that nobody opened are overlooked, marks are answered, goodbye is heard", async () => {
  const { socket, heard } = await stream();
  socket.write(jsonMessage("hello", hello));
  socket.write(
    Buffer.concat([frameHead("frame", { number: 9, players: 0, bytes: 3 }), Buffer.alloc(3)]),
  );
  socket.write(numberMessage("mark", 7));
  await until(() => heard.includes("ack"), "the answer");
  socket.write(bareMessage("bye"));
  socket.end();
  await until(() => socket.destroyed, "the end");
  assert.equal(await ended("goodbye"), 1);
  assert.deepEqual(standby.gone, []);
});

test("the copy of a former owner does not replace that of a later one", () => {
  const { store } = standby;
  const origin = { ...room, ofNode: hello.nodeId, passedBy: undefined };
  const [first, second] = [{}, {}];
  assert.ok(store.open({ ...origin, roomEpoch: [1, 2] }, first));
  assert.equal(store.open({ ...origin, roomEpoch: [1, 1] }, second), false);
  assert.ok(store.open({ ...origin, roomEpoch: [2, 0] }, second));
  store.ended(origin, first);
  assert.equal(store.count, 1, "what an older stream has to say does not count");
});

test(`bytes of any kind give messages or a typed error, however they are cut (SEED=${seed})`, () => {
  const bytes = fc.uint8Array({ maxLength: 200 });
  const cuts = fc.array(fc.nat(40), { maxLength: 10 });
  const property = fc.property(bytes, cuts, (garbage, sizes) => {
    const reader = new MessageReader(64);
    const whole = Buffer.from(garbage);
    try {
      let at = 0;
      for (const size of [...sizes, whole.length]) {
        for (const { body } of reader.push(whole.subarray(at, at + size))) {
          assert.ok(body.length <= 64);
        }
        at += size;
      }
    } catch (error) {
      assert.equal((error as { kind?: string }).kind, "bad_request");
    }
  });
  fc.assert(property, { seed, numRuns: 2_000 });
});

test(`messages arrive whole, however they are cut (SEED=${seed})`, () => {
  const numbers = fc.array(fc.nat(0xffff), { minLength: 1, maxLength: 20 });
  const cuts = fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 20 });
  const property = fc.property(numbers, cuts, (sent, sizes) => {
    const bytes = Buffer.concat(sent.map((number) => numberMessage("mark", number)));
    const reader = new MessageReader();
    const got: number[] = [];
    for (let at = 0, cut = 0; at < bytes.length; cut += 1) {
      const size = sizes[cut % sizes.length] ?? 1;
      for (const { body } of reader.push(bytes.subarray(at, at + size)))
        got.push(body.readUInt32LE(0));
      at += size;
    }
    assert.deepEqual(got, sent);
  });
  fc.assert(property, { seed, numRuns: 300 });
});
