/** How clients measure regions: the SDK's own code against real beacons, good ones and bad ones. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { after, before, test } from "node:test";
import { Room } from "@colyseus/core";
import { startDelayProxy } from "../../infra/local/wan/delay-proxy.ts";
import {
  AT_ONCE,
  DEADLINE_MS,
  type Measuring,
  measureRoundTrips,
  SILENCE_MS,
} from "../../shared/client/round-trips.ts";
import { systemClock } from "../../shared/clock.ts";
import { FakeClock } from "../../shared/fake-clock.ts";
import { RegionInfo } from "../../shared/protocol/join.ts";
import { TestNode } from "./test-node.ts";
import { until } from "./test-tickets.ts";

class QuietRoom extends Room {}

const node = new TestNode({ games: { quiet: QuietRoom } });
before(() => node.start());
after(() => node.stop());

/** One by which everything takes long, and nothing is late. */
class SlowClock extends FakeClock {
  #readMs = 0;

  override monotonicMs(): number {
    this.#readMs += 100;
    return this.#readMs;
  }
}

/** Beacons that were asked over HTTP, by address. */
let pinged = new Set<string>();

function measuring(differently: Partial<Measuring> = {}): Measuring {
  pinged = new Set();
  return {
    fetch: (url, init) => {
      pinged.add(new URL(url).host);
      return fetch(url, init);
    },
    openSocket: (url) => new WebSocket(url),
    draws: false,
    secure: false,
    clock: systemClock,
    ...differently,
  };
}

function regionAt(regionId: string, publicAddress: string | null): RegionInfo {
  const place = { latitude: 0, longitude: 0, players: 0, capacity: 1, state: "active" };
  return RegionInfo.parse({ regionId, name: regionId, publicAddress, ...place });
}

/** Listens on a free port until the test is over. */
async function listen(server: Server, test: { after: (end: () => void) => void }) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  test.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Answers pings, and leaves upgrades to the test. */
function webServer(status = 204): Server {
  return createServer((_request, response) => response.writeHead(status).end());
}

test("a region is measured over its websocket beacon alone, which is let go of then", async () => {
  const regions = [regionAt("beijing", node.address), regionAt("asleep", null)];
  const { roundTripsMs, unanswered } = await measureRoundTrips(regions, measuring());
  assert.deepEqual(Object.keys(roundTripsMs), ["beijing"]);
  assert.deepEqual(unanswered, [], "a region without a node was not asked");
  assert.equal(pinged.size, 0);
  await until(() => node.connections() === 0, "the end of the connection");
});

test("where websockets are refused, missing or forbidden, HTTP is asked", async (t) => {
  const server = webServer();
  server.on("upgrade", (_request, socket) => socket.end("HTTP/1.1 403 Forbidden\r\n\r\n"));
  const regions = [regionAt("beijing", await listen(server, t))];
  const forbid = () => {
    throw new DOMException("not from here", "SecurityError");
  };
  for (const differently of [{}, { openSocket: undefined }, { openSocket: forbid }]) {
    const { roundTripsMs } = await measureRoundTrips(regions, measuring(differently));
    assert.ok((roundTripsMs.beijing ?? -1) >= 0);
    assert.equal(pinged.size, 1);
  }
});

test("where websockets are swallowed, HTTP is asked after a while, and nobody waits on", async (t) => {
  const clock = new FakeClock();
  const swallowed: Duplex[] = [];
  const server = webServer();
  server.on("upgrade", (_request, socket) => {
    // Read on, or the end of it would not be seen.
    swallowed.push(socket.resume().on("end", () => socket.end()));
  });
  const regions = [regionAt("beijing", await listen(server, t))];
  const measured = measureRoundTrips(regions, measuring({ clock }));
  await until(() => swallowed.length === 1, "the websocket");
  clock.advance(SILENCE_MS);
  assert.deepEqual(Object.keys((await measured).roundTripsMs), ["beijing"]);
  assert.equal(clock.pending, 0);
  await until(() => swallowed[0]?.destroyed === true, "the end of the websocket");
});

test("a dead region, one that is no region and one that never answers are unanswered in time", async (t) => {
  const clock = new FakeClock();
  const held: Socket[] = [];
  const hole = createTcpServer((socket) => {
    held.push(socket.resume().on("error", () => socket.destroy()));
  });
  hole.listen(0, "127.0.0.1");
  await once(hole, "listening");
  t.after(() => {
    for (const socket of held) socket.destroy();
    hole.close();
  });
  const dead = await startDelayProxy({
    listenHost: "127.0.0.1",
    listenPort: 0,
    targetHost: "127.0.0.1",
    targetPort: node.transport.port,
    oneWayMs: 0,
  });
  await dead.stop();
  const regions = [
    regionAt("dead", `127.0.0.1:${dead.port}`),
    regionAt("hole", `127.0.0.1:${(hole.address() as AddressInfo).port}`),
    regionAt("beijing", node.address),
    regionAt("shop", await listen(webServer(404), t)),
  ];
  let ended = false;
  const openSocket = (url: string) => {
    const socket = new WebSocket(url);
    if (url.includes(node.address)) socket.addEventListener("close", () => (ended = true));
    return socket;
  };
  const measured = measureRoundTrips(regions, measuring({ clock, openSocket }));
  await until(() => ended, "the good region's measuring");
  await until(() => held.length === 1, "the websocket");
  clock.advance(SILENCE_MS);
  await until(() => held.length === 2, "the ping");
  clock.advance(DEADLINE_MS - SILENCE_MS);
  const { roundTripsMs, unanswered } = await measured;
  assert.deepEqual(unanswered, ["dead", "hole", "shop"]);
  assert.deepEqual(Object.keys(roundTripsMs), ["beijing"]);
  assert.equal(clock.pending, 0);
  await until(() => held[0]?.destroyed === true, "the end of the websocket");
});

test("a region at an address that is none costs the others nothing", async () => {
  const wrong = ["beijing.test:99999", "[:80", "a%:80"].map((at, n) => regionAt(`wrong-${n}`, at));
  for (const draws of [false, true]) {
    const regions = [...wrong, regionAt("beijing", node.address)];
    const { roundTripsMs } = await measureRoundTrips(regions, measuring({ draws }));
    assert.deepEqual(Object.keys(roundTripsMs), ["beijing"]);
  }
});

test("of a beacon that talks without end nothing is kept open", async (t) => {
  const talking = new Set<Socket>();
  const server = createServer((request, response) => {
    talking.add(request.socket);
    request.socket.once("close", () => talking.delete(request.socket));
    response.on("drain", () => response.write(Buffer.alloc(64 * 1024)));
    response.writeHead(200).write(Buffer.alloc(64 * 1024 * 1024));
  });
  const regions = [regionAt("beijing", await listen(server, t))];
  // Kept, so that the garbage collector ends none of them.
  const answers: Response[] = [];
  const keeping: typeof fetch = async (url, init) => {
    const answer = await fetch(url, init);
    answers.push(answer);
    return answer;
  };
  const differently = { openSocket: undefined, fetch: keeping };
  const { roundTripsMs } = await measureRoundTrips(regions, measuring(differently));
  assert.deepEqual(Object.keys(roundTripsMs), ["beijing"]);
  assert.ok(answers.length > 0);
  await until(() => talking.size === 0, "the end of its connections");
});

for (const draws of [false, true]) {
  test(`farther regions come out farther, ${draws ? "from a page" : "from a program"}`, async (t) => {
    const regions = await Promise.all(
      [60, 2, 25].map(async (oneWayMs) => {
        const proxy = await startDelayProxy({
          listenHost: "127.0.0.1",
          listenPort: 0,
          targetHost: "127.0.0.1",
          targetPort: node.transport.port,
          oneWayMs,
        });
        t.after(() => proxy.stop());
        return regionAt(`away-${oneWayMs}`, `127.0.0.1:${proxy.port}`);
      }),
    );
    const { roundTripsMs } = await measureRoundTrips(regions, measuring({ draws }));
    const inOrder = Object.entries(roundTripsMs).toSorted(([, a], [, b]) => a - b);
    assert.deepEqual(
      inOrder.map(([regionId]) => regionId),
      ["away-2", "away-25", "away-60"],
    );
    for (const [regionId, tripMs] of inOrder) assert.ok(tripMs > Number(regionId.slice(5)));
    assert.equal(pinged.size, draws ? 3 : 0);
  });
}

test("the best ranked are measured; the others only while none is near", async () => {
  const regions = Array.from({ length: 70 }, (_, index) => regionAt(`r${index}`, node.address));
  const near = await measureRoundTrips(regions, measuring({ clock: new FakeClock() }));
  assert.deepEqual(
    Object.keys(near.roundTripsMs).toSorted(),
    regions
      .slice(0, AT_ONCE)
      .map(({ regionId }) => regionId)
      .toSorted(),
  );
  const far = await measureRoundTrips(regions, measuring({ clock: new SlowClock() }));
  assert.equal(Object.keys(far.roundTripsMs).length, 64);
  assert.deepEqual(far.unanswered, []);
});
