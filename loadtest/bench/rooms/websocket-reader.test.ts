import assert from "node:assert/strict";
import { test } from "node:test";
import { Opcode, WebSocketReader } from "./websocket-reader.ts";

const short = Buffer.from([0x82, 3, 15, 1, 2]);
const medium = Buffer.concat([Buffer.from([0x82, 126, 0, 200, 14]), Buffer.alloc(199)]);
const long = Buffer.alloc(10 + 70_000);
long.set([0x82, 127]);
long.writeBigUInt64BE(70_000n, 2);
long[10] = 10;
const ping = Buffer.from([0x89, 0]);
const stream = Buffer.concat([short, ping, medium, long, short]);
const expected = [
  [Opcode.BINARY, 15, 3],
  [Opcode.PING, 0, 0],
  [Opcode.BINARY, 14, 200],
  [Opcode.BINARY, 10, 70_000],
  [Opcode.BINARY, 15, 3],
];

for (const pieceBytes of [1, 2, 3, 7, 1_000, stream.length]) {
  test(`frames that come in pieces of ${pieceBytes} bytes`, () => {
    const frames: number[][] = [];
    const reader = new WebSocketReader((...frame) => frames.push(frame));
    // One buffer for all pieces, as the sockets have.
    const piece = Buffer.alloc(pieceBytes);
    for (let at = 0; at < stream.length; at += pieceBytes) {
      const copied = stream.copy(piece, 0, at);
      reader.read(piece.subarray(0, copied));
    }
    assert.deepEqual(frames, expected);
  });
}

test("a frame in fragments is refused", () => {
  const reader = new WebSocketReader(() => {});
  assert.throws(() => reader.read(Buffer.from([0x02, 1, 0])));
});
