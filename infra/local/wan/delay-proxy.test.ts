/**
 * The proxy between real sockets. Time is a clock moved by hand, so a delay is proved by what has not
 * come through yet and what has, never by measuring.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { FakeClock } from "../../../shared/fake-clock.ts";
import { freePort } from "../../process/port.ts";
import { type DelayProxy, startDelayProxy } from "./delay-proxy.ts";
import { IN_FLIGHT_BYTES_MAX } from "./delayed-connection.ts";

const ONE_WAY_MS = 40;

interface Setting {
  readonly clock: FakeClock;
  readonly proxy: DelayProxy;
  /** A client, and the server's end of its connection, set up. */
  open(): Promise<{ client: Socket; server: Socket }>;
  /** The target's end of the newest connection. */
  latest(): Socket | undefined;
}

async function set(context: TestContext): Promise<Setting> {
  const clock = new FakeClock();
  const accepted: Socket[] = [];
  const target = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    accepted.push(socket);
    target.emit("accepted");
  });
  target.listen(0, "127.0.0.1");
  await once(target, "listening");
  const address = target.address();
  assert.ok(address !== null && typeof address === "object");
  const proxy = await startDelayProxy({
    listenHost: "127.0.0.1",
    listenPort: 0,
    targetHost: "127.0.0.1",
    targetPort: address.port,
    oneWayMs: ONE_WAY_MS,
    clock,
  });
  const clients: Socket[] = [];
  context.after(async () => {
    await proxy.stop();
    for (const socket of [...clients, ...accepted]) socket.destroy();
    target.close();
    assert.equal(clock.pending, 0, "no timer is left");
  });
  return {
    clock,
    proxy,
    latest: () => accepted.at(-1),
    async open() {
      const client = dial(proxy.port);
      clients.push(client);
      await until(() => clock.pending > 0);
      const acceptance = once(target, "accepted");
      clock.advance(ONE_WAY_MS);
      await acceptance;
      clock.advance(2 * ONE_WAY_MS);
      const server = accepted.at(-1);
      assert.ok(server);
      return { client, server };
    },
  };
}

function dial(port: number): Socket {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  socket.on("error", () => {});
  return socket;
}

/** Whether the connection ended by an error: a reset or a refusal. (`once` would reject with it.) */
function closedByError(socket: Socket): Promise<boolean> {
  socket.resume();
  return new Promise((resolve) => socket.once("close", resolve));
}

/** Waits for a condition, event loop turn by turn; the test's own time limit is the deadline. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await setImmediate();
}

function collect(socket: Socket): () => string {
  let text = "";
  socket.on("data", (chunk) => {
    text += String(chunk);
  });
  return () => text;
}

const limit = { timeout: 10_000 };

test("bytes take one way's delay in each direction, and keep their order", limit, async (t) => {
  const { clock, open } = await set(t);
  const { client, server } = await open();
  const atServer = collect(server);
  const atClient = collect(client);
  client.write("a");
  await until(() => clock.pending === 1);
  clock.advance(ONE_WAY_MS / 2);
  client.write("b");
  server.write("x");
  await until(() => clock.pending === 2);
  clock.advance(ONE_WAY_MS / 2 - 1);
  assert.equal(atServer() + atClient(), "", "nothing is early");
  clock.advance(1);
  await until(() => atServer() === "a");
  clock.advance(ONE_WAY_MS / 2);
  await until(() => atServer() === "ab" && atClient() === "x");
});

test("the set-up costs a handshake's round trip", limit, async (t) => {
  const { clock, proxy, latest } = await set(t);
  const client = dial(proxy.port);
  t.after(() => client.destroy());
  client.write("hello");
  await until(() => clock.pending > 0);
  let atServer: (() => string) | undefined;
  while (atServer?.() !== "hello") {
    clock.advance(1);
    await setImmediate();
    const server = latest();
    if (server) atServer ??= collect(server);
  }
  assert.ok(clock.monotonicMs() >= 3 * ONE_WAY_MS, `${clock.monotonicMs()}`);
});

test("a half-close passes, and the other direction stays open", limit, async (t) => {
  const { clock, open } = await set(t);
  const { client, server } = await open();
  const atClient = collect(client);
  server.resume();
  const ended = once(server, "end");
  client.end("last words");
  await until(() => clock.pending === 1);
  clock.advance(ONE_WAY_MS);
  await until(() => clock.pending === 1 || server.readableEnded);
  clock.advance(ONE_WAY_MS);
  await ended;
  server.end("answer");
  await until(() => clock.pending === 1);
  clock.advance(ONE_WAY_MS);
  await until(() => atClient() === "answer");
});

test("a reset passes, in both directions", limit, async (t) => {
  const { clock, open } = await set(t);
  for (const from of ["client", "server"] as const) {
    const ends = await open();
    const other = from === "client" ? ends.server : ends.client;
    const failed = closedByError(other);
    ends[from].resetAndDestroy();
    await until(() => clock.pending === 1);
    clock.advance(ONE_WAY_MS);
    assert.equal(await failed, true);
  }
});

test("a target that refuses resets the client", limit, async (t) => {
  const clock = new FakeClock();
  const proxy = await startDelayProxy({
    listenHost: "127.0.0.1",
    listenPort: 0,
    targetHost: "127.0.0.1",
    targetPort: await freePort(),
    oneWayMs: ONE_WAY_MS,
    clock,
  });
  t.after(() => proxy.stop());
  const client = dial(proxy.port);
  const closed = closedByError(client);
  await until(() => clock.pending === 1);
  clock.advance(ONE_WAY_MS);
  await until(() => clock.pending === 1);
  clock.advance(ONE_WAY_MS);
  assert.equal(await closed, true);
});

test(
  "a sender is held back while a full pipe is under way, and nothing is lost",
  limit,
  async (t) => {
    const { clock, open } = await set(t);
    const { client, server } = await open();
    const total = 8 * IN_FLIGHT_BYTES_MAX;
    let received = 0;
    server.on("data", (chunk: Buffer) => {
      received += chunk.length;
    });
    const sent = new Promise((resolve) => client.write(Buffer.alloc(total), resolve));
    let turns = 0;
    // With the clock standing still nothing comes out, so what goes in must come to a stop.
    for (let before = -1; turns < 50; turns += before === client.bytesWritten ? 1 : 0) {
      before = client.bytesWritten;
      await setImmediate();
    }
    assert.equal(received, 0);
    assert.ok(client.writableLength > 0, "the sender still has bytes that nobody took");
    while (received < total) {
      clock.advance(ONE_WAY_MS);
      await setImmediate();
    }
    await sent;
  },
);

test("a new delay holds for connections that exist", limit, async (t) => {
  const { clock, proxy, open } = await set(t);
  const { client, server } = await open();
  const atServer = collect(server);
  proxy.setDelay(5);
  client.write("quick");
  await until(() => clock.pending === 1);
  clock.advance(5);
  await until(() => atServer() === "quick");
});

test("cut resets what exists and refuses what comes, until healed", limit, async (t) => {
  const { proxy, open } = await set(t);
  const { client, server } = await open();
  const closed = Promise.all([closedByError(client), closedByError(server)]);
  await proxy.cut();
  assert.deepEqual(await closed, [true, true]);
  assert.equal(await closedByError(dial(proxy.port)), true, "refused");
  await proxy.heal();
  await open();
});

test("half-open swallows in silence; healed, what was sent arrives", limit, async (t) => {
  const { clock, proxy, open } = await set(t);
  const { client, server } = await open();
  const atServer = collect(server);
  proxy.halfOpen();
  client.write("into the dark");
  await setImmediate();
  clock.advance(60_000);
  await setImmediate();
  assert.equal(atServer(), "");
  assert.equal(client.closed || server.closed, false, "neither end is told");
  await proxy.heal();
  await until(() => {
    clock.advance(1);
    return atServer() === "into the dark";
  });
});
