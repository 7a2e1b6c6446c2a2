/**
 * What strangers can do to the players' port without a ticket: hold connections, send headers and
 * bodies without end, claim addresses. A player who is in plays on meanwhile.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { type AuthContext, Room } from "@colyseus/core";
import { TestNode } from "./test-node.ts";
import { until } from "./test-tickets.ts";

const contexts: AuthContext[] = [];
class WatchingRoom extends Room {
  override onCreate(): void {
    this.onMessage("echo", (client, text: string) => client.send("echo", text));
  }
  override onAuth(_client: unknown, _options: unknown, context: AuthContext): boolean {
    contexts.push(context);
    return true;
  }
}

const node = new TestNode({ games: { watching: WatchingRoom } });
before(() => node.start());
after(() => node.stop());

interface Stranger {
  readonly socket: Socket;
  /** What the server said until it closed the connection. */
  readonly answer: Promise<string>;
}

function stranger(...bytes: string[]): Stranger {
  const socket = connect(node.transport.port, "127.0.0.1");
  // A connection that is cut while more is being written is what these tests are about.
  socket.on("error", () => undefined);
  for (const part of bytes) socket.write(part);
  let said = "";
  socket.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  return { socket, answer: once(socket, "close").then(() => said) };
}

async function player() {
  const room = await node.join(await node.seat("watching"));
  return {
    room,
    async echo() {
      const heard = new Promise((resolve) => room.onMessage("echo", resolve));
      room.send("echo", "still there?");
      assert.equal(await heard, "still there?");
    },
  };
}

const HEAD = "POST /matchmake/create/watching HTTP/1.1\r\nHost: x\r\n";

test("a body that never ends is answered before it begins, declared or in chunks", async () => {
  const length = "Content-Length: 10000000000\r\n\r\n";
  const chunked = "Transfer-Encoding: chunked\r\n\r\n";
  for (const body of [length, `${length}abc`, chunked, `${chunked}5\r\nabcde\r\n`]) {
    assert.match(await stranger(HEAD, body).answer, /^HTTP\/1\.1 405 /, body);
  }
  for (const body of ["FFFFFFFFFFFFFFFFFF\r\n", "-5\r\n", "zz\r\n"]) {
    assert.match(await stranger(HEAD, chunked, body).answer, /^HTTP\/1\.1 4\d\d /, body);
  }
});

test("two lengths of one body, as request smuggling needs them, bring nothing through", async () => {
  const smuggled = "GET /ping HTTP/1.1\r\nHost: x\r\n\r\n";
  for (const framing of [
    "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
    "Content-Length: 4\r\nContent-Length: 400\r\n\r\n",
  ]) {
    const answer = await stranger(HEAD, framing, "0\r\n\r\n", smuggled).answer;
    assert.equal(answer.match(/HTTP\/1\.1/g)?.length, 1, answer);
  }
});

test("a bomb of headers is refused by size and by count", async () => {
  const large = `X: ${"x".repeat(9_000)}\r\n`;
  const many = Array.from({ length: 500 }, (_, index) => `X${index}: y\r\n`).join("");
  const line = `GET /${"a".repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`;
  for (const request of [`${HEAD}${large}\r\n`, `${HEAD}${many}\r\n`, line]) {
    assert.match(await stranger(request).answer, /^HTTP\/1\.1 4\d\d /, request.slice(0, 80));
  }
  // Never an end of the headers: the server does not collect them for ever.
  const { socket, answer } = stranger(HEAD);
  const pour = setInterval(() => socket.write(large), 1);
  assert.match(await answer, /^HTTP\/1\.1 431 |^$/);
  clearInterval(pour);
});

test("who says nothing, or a byte a second, is cut off", { timeout: 60_000 }, async () => {
  const { room, echo } = await player();
  const silent = Array.from({ length: 100 }, () => stranger());
  const slow = Array.from({ length: 100 }, () => stranger(HEAD));
  const drip = setInterval(() => {
    for (const { socket } of slow) if (socket.writable) socket.write("X");
  }, 1_000);
  await echo();
  await Promise.all([...silent, ...slow].map(({ answer }) => answer));
  clearInterval(drip);
  await echo();
  await room.leave();
});

test("no header of a stranger's says where a player is, or who", async () => {
  contexts.length = 0;
  const headers = {
    "x-forwarded-for": "203.0.113.7",
    "x-real-ip": "203.0.113.7",
    "x-client-ip": "203.0.113.7",
    forwarded: "for=203.0.113.7",
    authorization: "Bearer somebody",
    cookie: "session=somebody",
  };
  const seat = await node.seat("watching");
  const socket = new WebSocket(seat.url, { headers } as unknown as string[]);
  await until(() => contexts.length === 1, "the room's question");
  const [context] = contexts;
  assert.equal(context?.ip, "127.0.0.1");
  assert.equal(context?.token, undefined);
  for (const name of Object.keys(headers)) assert.equal(context?.headers.get(name), null, name);
  socket.close();
  await until(() => node.connections() === 0, "the close");
});

test("there is no monitor, no playground and no matchmaking to find", async () => {
  const paths = ["/colyseus", "/monitor", "/playground", "/matchmake/", "/__apidocs", "/auth"];
  for (const path of [...paths, "/colyseus/api", "/colyseus/api/room/call?method=disconnect"]) {
    const answer = await fetch(`http://${node.address}${path}`);
    assert.equal(answer.status, 404, path);
    assert.equal(answer.headers.get("access-control-allow-origin"), null, path);
  }
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const unwanted = /@colyseus\/(monitor|playground|auth|ws-transport|uwebsockets)/;
  const found = (packages: object) => Object.keys(packages).filter((name) => unwanted.test(name));
  assert.deepEqual(found(manifest.dependencies), []);
  // Benchmarks measure against the stock transport.
  assert.deepEqual(found(manifest.devDependencies), ["@colyseus/ws-transport"]);
});
