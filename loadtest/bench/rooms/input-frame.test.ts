import assert from "node:assert/strict";
import { test } from "node:test";
import { Protocol } from "@colyseus/core";
import { Packr } from "msgpackr";
import { FIRST_INPUT, INPUT_FRAME_BYTES, readInput, writeInput } from "./input-frame.ts";

test("an input frame is what the stock client sends", () => {
  const move = { input: FIRST_INPUT + 7, facing: 1.25 };
  const frame = Buffer.alloc(INPUT_FRAME_BYTES + 2);
  writeInput(frame, 2, move);
  const name = Buffer.from("move");
  const payload = new Packr().pack(move);
  const stock = Buffer.concat([
    Buffer.from([Protocol.ROOM_DATA, 0xa0 | name.length]),
    name,
    payload,
  ]);
  assert.deepEqual(frame.subarray(2), stock);
  assert.deepEqual(readInput(new DataView(Uint8Array.from(stock).buffer)), move);
});
