/** Everything on the players' port that is not a player: beacons, strangers, half-finished requests. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { networkInterfaces } from "node:os";
import { after, before, test } from "node:test";
import { Room } from "@colyseus/core";
import { closeOf, TestNode } from "./test-node.ts";
import { until } from "./test-tickets.ts";
import { createUwsApp, libraryIn, listen } from "./uws.ts";

class QuietRoom extends Room {}

const PAGE = "https://play.example.com";
const node = new TestNode({ games: { quiet: QuietRoom }, origins: [PAGE] });
before(() => node.start());
after(() => node.stop());

const url = (path: string) => `http://${node.address}${path}`;

/** What the server says to these bytes until it closes the connection. */
async function exchange(request: string): Promise<string> {
  const socket = connect(node.transport.port, "127.0.0.1");
  socket.write(request);
  let answer = "";
  socket.on("data", (chunk: Buffer) => {
    answer += chunk.toString();
  });
  await once(socket, "close");
  return answer;
}

function upgrade(path: string, headers = ""): string {
  const key = randomBytes(16).toString("base64");
  return (
    `GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
    `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n${headers}\r\n`
  );
}

test("the beacon answers anyone, from any page, and is never cached", async () => {
  const answer = await fetch(url("/ping"));
  assert.equal(answer.status, 204);
  assert.equal(answer.headers.get("access-control-allow-origin"), "*");
  assert.equal(answer.headers.get("timing-allow-origin"), "*");
  assert.equal(answer.headers.get("cache-control"), "no-store");
  const preflight = await fetch(url("/ping"), { method: "OPTIONS" });
  assert.equal(preflight.headers.get("access-control-allow-methods"), "GET");
});

test("the websocket beacon echoes a while, and ends", async () => {
  const socket = new WebSocket(`ws://${node.address}/ping`);
  await once(socket, "open");
  let echoes = 0;
  socket.addEventListener("message", () => {
    echoes += 1;
    socket.send("x");
  });
  const closed = once(socket, "close");
  socket.send("x");
  await closed;
  assert.equal(echoes, 20);
  await until(() => node.connections() === 0, "the count");
});

test("a large frame at the beacon is cut off", async () => {
  const socket = new WebSocket(`ws://${node.address}/ping`);
  await once(socket, "open");
  const closed = once(socket, "close");
  socket.send("x".repeat(17));
  await closed;
});

test("there is nothing else: no matchmaking, no pages", async () => {
  for (const path of ["/", "/matchmake/joinOrCreate/quiet", "/metrics"]) {
    const answer = await fetch(url(path));
    assert.equal(answer.status, 404, path);
    assert.equal((await answer.json()).error.kind, "not_found");
  }
});

test("a body that never ends is not waited for", async () => {
  const answer = await exchange(
    "POST /matchmake/create/quiet HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nabc",
  );
  assert.match(answer, /^HTTP\/1\.1 405 /);
});

test("a request whose headers are too large is refused", async () => {
  const answer = await exchange(`GET /ping HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(9_000)}\r\n\r\n`);
  assert.match(answer, /^HTTP\/1\.1 431 /);
});

test("an upgrade of a wrong form is answered over HTTP", async () => {
  const seat = await node.seat("quiet");
  const { ticket, claims } = seat;
  const paths = [
    `/${claims.aud}/${claims.roomId}?sessionId=${claims.sessionId}`,
    `/t/${ticket}/${claims.aud}/${claims.roomId}`,
    `/t/${ticket}/${claims.aud}/${claims.roomId}?sessionId=a%20b`,
    `/t/${ticket}/not.a.node/${claims.roomId}?sessionId=${claims.sessionId}`,
    `/t/${ticket}/${claims.aud}/${claims.roomId}?sessionId=${claims.sessionId}&reconnectionToken=x`,
  ];
  for (const path of paths) assert.match(await exchange(upgrade(path)), /^HTTP\/1\.1 400 /, path);
});

test("a page of another origin may not connect, the right one and native clients may", async () => {
  const foreign = await node.seat("quiet");
  const path = foreign.url.slice(foreign.url.indexOf("/t/"));
  const refused = await exchange(upgrade(path, "Origin: https://evil.example.com\r\n"));
  assert.match(refused, /^HTTP\/1\.1 403 /);
  for (const headers of [{ origin: PAGE }, {}]) {
    // The ticket was not spent by the refusal.
    const seat = headers.origin ? foreign : await node.seat("quiet");
    const socket = new WebSocket(seat.url, { headers } as unknown as string[]);
    await once(socket, "message");
    socket.close();
  }
});

test("an upgrade that is aborted half-way harms nobody", async () => {
  const seat = await node.seat("quiet");
  const request = upgrade(seat.url.slice(seat.url.indexOf("/t/")));
  for (const length of [10, request.length - 2, request.length]) {
    const socket = connect(node.transport.port, "127.0.0.1");
    await once(socket, "connect");
    socket.write(request.slice(0, length));
    socket.resetAndDestroy();
    await once(socket, "close");
  }
  await until(() => node.connections() === 0, "the count");
  assert.equal((await fetch(url("/ping"))).status, 204);
});

test("nothing of a ticket is answered or counted in the clear", async () => {
  const seat = await node.seat("quiet", { exp: 1 });
  await closeOf(seat.url);
  const text = await node.metrics.metrics();
  assert.equal(text.includes(seat.ticket), false);
  assert.match(text, /meridian_transport_upgrades_total\{outcome="ticket_expired"\} 1/);
});

test("it listens on its own address only", async () => {
  const other = Object.values(networkInterfaces())
    .flat()
    .find((net) => net && net.family === "IPv4" && !net.internal)?.address;
  // 127.0.0.2 is this machine too, on Linux; elsewhere an address of a network card must do.
  const host = process.platform === "linux" ? "127.0.0.2" : other;
  if (!host) return;
  const socket = connect(node.transport.port, host);
  const [error] = await once(socket, "error").catch((failure) => [failure]);
  assert.equal(error.code, "ECONNREFUSED");
});

test("a port that is in use is a clear failure", async () => {
  const app = createUwsApp();
  await assert.rejects(listen(app, "127.0.0.1", node.transport.port), /in use/);
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(typeof address === "object" && address);
  await assert.rejects(listen(app, "127.0.0.1", address.port), /in use/);
  server.close();
  app.close();
});

test("both shapes of the package are taken", () => {
  const library = { App: () => undefined };
  assert.equal(libraryIn(library), library);
  assert.equal(libraryIn({ default: library }), library);
  assert.throws(() => libraryIn({}), /neither/);
});
