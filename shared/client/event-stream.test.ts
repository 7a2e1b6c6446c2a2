import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EventStream } from "./event-stream.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

test("events are read wherever the bytes are cut; comments are none", () => {
  const text =
    ': hello\n\nevent: place\ndata: {"a":"é"}\n\n:\n\ndata: 1\r\ndata:2\r\n\r\nevent: x\n\n';
  const expected = [
    { name: "place", data: '{"a":"é"}' },
    { name: "message", data: "1\n2" },
  ];
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 9 })), (lengths) => {
      const stream = new EventStream();
      const all = bytes(text);
      const heard = [];
      let at = 0;
      for (const length of [...lengths, all.length]) {
        heard.push(...stream.push(all.slice(at, at + length)));
        at += length;
      }
      assert.deepEqual(heard, expected);
    }),
  );
});

test("an event without an end is given up", () => {
  const stream = new EventStream();
  assert.throws(() => {
    for (let mebibyte = 0; mebibyte < 2; mebibyte += 1) stream.push(bytes("a".repeat(1 << 20)));
  }, RangeError);
});
