/** The relay's side of a tunnel, asked over real sockets by whoever may and may not have one. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { type IncomingMessage, STATUS_CODES } from "node:http";
import { request } from "node:https";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { after, afterEach, test } from "node:test";
import { systemClock } from "../../shared/clock.ts";
import { RegionId } from "../../shared/ids.ts";
import type { LinkCredentials } from "../../shared/link/credentials.ts";
import { RELAY_PATH, RELAY_PROTOCOL } from "../../shared/protocol/failover.ts";
import { until } from "../../test/until.ts";
import { Neighbour } from "./neighbour.testkit.ts";
import { openTunnel } from "./relay-tunnel.ts";
import { TestCore } from "./test-core.ts";

const core = await TestCore.start();
const east = await core.credentialsOf("east");
const north = await core.credentialsOf("north");
after(() => core.stop());
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function relayTo(coreAddress: string, tunnelsMax = 8): Promise<Neighbour> {
  const relay = await Neighbour.start({ core, name: "west", coreAddress, tunnelsMax });
  ends.push(() => relay.stop());
  return relay;
}

interface Asked {
  readonly path?: string;
  readonly method?: string;
  readonly protocol?: string;
}

/** The stream, or the status of the refusal. */
async function ask(
  port: number,
  credentials: LinkCredentials,
  { path = RELAY_PATH, method = "GET", protocol = RELAY_PROTOCOL }: Asked = {},
): Promise<Duplex | number> {
  const asking = request({
    ...credentials,
    host: "127.0.0.1",
    port,
    path,
    method,
    agent: false,
    checkServerIdentity: () => undefined,
    headers: { connection: "Upgrade", upgrade: protocol },
  });
  asking.end();
  const answered = new Promise<Duplex | number>((resolve, reject) => {
    asking.once("upgrade", (_answer, stream: Duplex) => resolve(stream));
    asking.once("response", (answer: IncomingMessage) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    asking.once("error", reject);
  });
  const stream = await answered;
  if (typeof stream === "object") {
    stream.on("error", () => undefined);
    ends.push(() => stream.destroy());
  }
  return stream;
}

async function tunnel(port: number, credentials: LinkCredentials): Promise<Duplex> {
  const stream = await ask(port, credentials);
  assert.ok(typeof stream === "object", `refused: ${STATUS_CODES[stream as number]}`);
  return stream;
}

/** Stands for the core where bytes matter and not what they say. */
async function plainCore(
  take: (socket: Socket) => void,
): Promise<{ server: Server; address: string }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    take(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const { port } = server.address() as { port: number };
  return { server, address: `127.0.0.1:${port}` };
}

test("only regions get a tunnel, by that very request, and to nothing but the core", async () => {
  const reached: number[] = [];
  const { address } = await plainCore(() => reached.push(1));
  const { port } = await relayTo(address);
  const asCore = core.coreIdentity.current;
  assert.equal(await ask(port, asCore), 403);
  const elsewhere: Asked[] = [
    { path: `${RELAY_PATH}?to=127.0.0.1:1` },
    { path: `${RELAY_PATH}/127.0.0.1:1` },
    { path: "/link/drain" },
    { path: "/" },
    { method: "POST" },
    { protocol: "websocket" },
    { protocol: "__proto__" },
  ];
  for (const asked of elsewhere) {
    assert.equal(await ask(port, east, asked), 404, JSON.stringify(asked));
  }
  const stranger = connect(port, "127.0.0.1");
  ends.push(() => stranger.destroy());
  stranger.on("error", () => undefined);
  stranger.write(
    `GET ${RELAY_PATH} HTTP/1.1\r\nconnection: Upgrade\r\nupgrade: ${RELAY_PROTOCOL}\r\n\r\n`,
  );
  await once(stranger, "close");
  assert.deepEqual(reached, []);
  await tunnel(port, east);
  await until("the core's end", () => reached.length === 1);
});

test("a region gets half of the tunnels, others the rest, and what ends makes room", async () => {
  const { address } = await plainCore((socket) => socket.resume());
  const relay = await relayTo(address, 4);
  const { port } = relay;
  const first = await tunnel(port, east);
  await tunnel(port, east);
  assert.equal(await ask(port, east), 503);
  await tunnel(port, north);
  await tunnel(port, north);
  assert.equal(await ask(port, core.regionIdentity.current), 503);
  assert.equal(await relay.tunnels(), 4);
  first.destroy();
  await until("a free one", async () => (await relay.tunnels()) === 3);
  await tunnel(port, east);
});

test("a relay of no tunnels refuses, as does one that can't reach the core", async () => {
  const none = await relayTo(core.address, 0);
  assert.equal(await ask(none.port, east), 503);
  const relay = await relayTo("127.0.0.1:1");
  assert.equal(await ask(relay.port, east), 503);
  await until("no tunnel left", async () => (await relay.tunnels()) === 0);
});

test("bytes go both ways, no faster than they are taken, and an end of one side ends both", async () => {
  const sockets: Socket[] = [];
  const { address } = await plainCore((socket) => sockets.push(socket));
  const { port } = await relayTo(address);
  const stream = await tunnel(port, east);
  const far = await until("the core's end", () => sockets[0]);
  // Nobody reads at the core: what was written comes to a halt somewhere on the way, and is not kept.
  const chunk = Buffer.alloc(1 << 20, 1);
  let written = 0;
  while (written < 256 && stream.write(chunk)) written += 1;
  while (written < 256) {
    const drained = await Promise.race([once(stream, "drain"), settled(() => far.bytesRead)]);
    if (!drained) break;
    stream.write(chunk);
    written += 1;
  }
  assert.ok(written < 64, `${written} MiB were taken that nobody read`);
  let read = 0;
  far.on("data", (bytes) => {
    read += bytes.length;
  });
  far.write("from the core");
  const [answer] = (await once(stream, "data")) as [Buffer];
  assert.equal(answer.toString(), "from the core");
  stream.end();
  await until("the end", () => far.readableEnded);
  assert.equal(read % chunk.length, 0, "to the last byte");
  far.end();
  await until("both ends", () => stream.closed && far.closed);
});

/** Undefined once the number stands still. */
async function settled(number: () => number): Promise<undefined> {
  let last = -1;
  await until("a halt", async () => {
    const same = number() === last;
    last = number();
    await new Promise((resolve) => setTimeout(resolve, 50));
    return same;
  });
}

test("the core's end closes the node's, and the server's end closes all", async () => {
  const sockets: Socket[] = [];
  const { address } = await plainCore((socket) => sockets.push(socket));
  const relay = await relayTo(address);
  const { port } = relay;
  const stream = await tunnel(port, east);
  const other = await tunnel(port, east);
  const far = await until("the core's end", () => sockets[0]);
  far.destroy();
  await until("the node's end", () => stream.closed);
  await relay.stop();
  await until("all ends", () => other.closed && sockets.every(({ closed }) => closed));
});

test("in the tunnel the node speaks with the core itself, or there is none", async () => {
  const { peer: via } = await relayTo(core.address);
  const options = { identity: core.regionIdentity, clock: systemClock, deadlineMs: 5_000 };
  const socket = await openTunnel({ ...options, via });
  assert.match(socket.getPeerCertificate().subjectaltname ?? "", /meridian:\/\/core/);
  socket.destroy();
  const posing = { ...via, regionId: RegionId.parse("east") };
  await assert.rejects(openTunnel({ ...options, via: posing }), { kind: "unavailable" });
  const { address } = await plainCore((plain) => plain.end("no TLS"));
  const wrong = await relayTo(address);
  const toWrong = { ...via, linkAddress: wrong.peer.linkAddress };
  await assert.rejects(openTunnel({ ...options, via: toWrong }), { kind: "unavailable" });
  const { address: silent } = await plainCore(() => undefined);
  const hangs = await relayTo(silent);
  const toHangs = { ...via, linkAddress: hangs.peer.linkAddress };
  const late = openTunnel({ ...options, via: toHangs, deadlineMs: 50 });
  await assert.rejects(late, { kind: "timeout" });
  const aborted = openTunnel({ ...options, via, signal: AbortSignal.abort() });
  await assert.rejects(aborted, { kind: "timeout" });
});
