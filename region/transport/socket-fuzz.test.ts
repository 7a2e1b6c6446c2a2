/**
 * The same mutated frames through real websockets, and mutated upgrade requests through real TCP: what
 * uWebSockets.js and the border make of them. The node lives, nothing leaks, and a player who is in
 * the room plays on.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { Chance, cases, testSeed } from "../../shared/chance.testkit.ts";
import { Arena } from "../games/arena/arena-room.ts";
import type { ArenaState } from "../games/arena/arena-state.ts";
import { mutatedFrame, recordFrames } from "./frame-fuzzer.testkit.ts";
import { TestNode, type TestSeat } from "./test-node.ts";
import { until } from "./test-tickets.ts";

const CONNECTIONS = cases(120, 20_000);
const REQUESTS = cases(700, 100_000);
const FRAMES_EACH = 20;
const AT_ONCE = 8;
/** What ends a connection that sends such frames; 1006 is a frame that is cut off while it arrives. */
const CLOSES = new Set([1000, 1005, 1006, 1009, 4000, 4400, 4429]);

const seed = testSeed();
const node = new TestNode({
  games: { arena: Arena },
  limits: { messagesPerSecondMax: 2 * FRAMES_EACH },
  created: (room) => {
    if (room instanceof Arena) room.grantEpoch([1, 1]);
  },
});
before(() => node.start());
after(() => node.stop());

async function honestPlayer() {
  const room = await node.join<ArenaState>(await node.seat("arena"));
  let left: number | undefined;
  room.onLeave((code) => {
    left = code;
  });
  let input = 0;
  return {
    async moves() {
      input += 1;
      room.send("move", { input, x: 1, y: 0 });
      await until(() => room.state?.players?.get(room.sessionId)?.lastInput === input, "the move");
      assert.equal(left, undefined);
    },
    leave: () => room.leave(),
  };
}

/** Joins, or does not wait for that, sends a burst of bad frames, and is closed or leaves. */
async function attack(recorded: readonly Uint8Array[], chance: Chance): Promise<number> {
  const socket = new WebSocket((await node.seat("arena")).url);
  socket.binaryType = "arraybuffer";
  const closed = new Promise<number>((resolve) => {
    socket.addEventListener("close", ({ code }) => resolve(code));
  });
  const first = chance.once(3) ? "open" : "message";
  await Promise.race([new Promise((go) => socket.addEventListener(first, go)), closed]);
  if (!chance.once(3)) socket.send(Uint8Array.of(10));
  for (let sent = 0; sent < FRAMES_EACH; sent += 1) {
    const frame = mutatedFrame(recorded, chance);
    socket.send(chance.once(100) ? frame.toString("latin1") : new Uint8Array(frame));
  }
  socket.close();
  return closed;
}

test(`${CONNECTIONS} connections that send mutated frames`, { timeout: 3_600_000 }, async (t) => {
  t.diagnostic(`seed ${seed}`);
  const recorded = await recordFrames(await node.join(await node.seat("arena")));
  const honest = await honestPlayer();
  const codes = new Map<number, number>();
  for (let count = 0; count < CONNECTIONS; count += AT_ONCE) {
    const ends = await Promise.all(
      Array.from({ length: AT_ONCE }, (_, index) => {
        return attack(recorded, new Chance(seed + count + index));
      }),
    );
    for (const code of ends) codes.set(code, (codes.get(code) ?? 0) + 1);
    await honest.moves();
  }
  t.diagnostic(`closed with ${JSON.stringify([...codes])}`);
  assert.deepEqual(
    [...codes.keys()].filter((code) => !CLOSES.has(code)),
    [],
  );
  assert.deepEqual(
    node.failures.map(({ method, error }) => `${method}: ${error}`),
    [],
  );
  await honest.leave();
  await until(() => node.connections() === 0, "the end of all connections");
  await until(() => node.rooms.count === 0, "the room's end");
});

const ODD = [
  "\0",
  "\r\n",
  "%00",
  "%ff",
  "..",
  "/",
  "?",
  "#",
  ":",
  "=",
  "é",
  "🐢",
  "x".repeat(3_000),
];

/** A request for a seat in which something is wrong, mostly. */
function request(seat: TestSeat, chance: Chance): Buffer {
  const lines = [
    `GET ${seat.url.slice(seat.url.indexOf("/t/"))} HTTP/1.1`,
    "Host: x",
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
    "Sec-WebSocket-Version: 13",
  ];
  for (let left = chance.below(3); left > 0; left -= 1) {
    const at = chance.below(lines.length);
    const line = lines[at] ?? "";
    const cut = chance.below(line.length + 1);
    const odd = chance.of([...ODD, chance.bytes(8).toString("latin1"), ""]);
    lines[at] = line.slice(0, cut) + odd + line.slice(cut + chance.below(4));
  }
  if (chance.once(5)) lines.splice(chance.below(lines.length), 1);
  if (chance.once(5)) lines.push(chance.of(lines));
  const text = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
  return chance.once(10) ? text.subarray(0, chance.below(text.length)) : text;
}

/** The first line of the answer; empty when the connection was closed without one. */
async function ask(bytes: Buffer): Promise<string> {
  const socket = connect(node.transport.port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.end(bytes);
  let answer = "";
  socket.on("data", (chunk: Buffer) => {
    answer += chunk.toString("latin1");
    if (answer.includes("\r\n")) socket.destroy();
  });
  await once(socket, "close");
  return answer.slice(0, answer.indexOf("\r\n") + 1).trim();
}

test(`${REQUESTS} mutated upgrade requests`, { timeout: 3_600_000 }, async (t) => {
  const chance = new Chance(seed);
  const answers = new Map<string, number>();
  const expected = await node.seat("arena");
  const consumedBefore = node.consumed.size;
  for (let count = 0; count < REQUESTS; count += AT_ONCE) {
    // An expired ticket, so that what happens to be right is refused as well and takes no seat.
    const seat = node.ticketFor(expected.answer, { exp: 1 });
    const asked = Array.from({ length: AT_ONCE }, () => ask(request(seat, chance)));
    for (const answer of await Promise.all(asked)) {
      answers.set(answer, (answers.get(answer) ?? 0) + 1);
    }
  }
  t.diagnostic(`seed ${seed}: answered ${JSON.stringify([...answers])}`);
  for (const answer of answers.keys()) {
    assert.match(answer, /^$|^HTTP\/1\.1 (101|204|400|404|405|431|505) /, answer);
  }
  await until(() => node.connections() === 0, "the end of all connections");
  assert.equal(node.consumed.size, consumedBefore);
  const honest = await honestPlayer();
  await honest.moves();
  await honest.leave();
});
