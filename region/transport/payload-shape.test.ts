/** What of a client's payload may reach a decoder: all that clients send, and no bomb. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Packr, pack, unpack } from "msgpackr";
import { frameOf } from "./frame.ts";
import { DEPTH_MAX, payloadShape, RECORD_SHAPES_MAX } from "./payload-shape.ts";

const seed = Number(process.env.TEST_SEED ?? 1);
const numRuns = Number(process.env.RUNS ?? 500);

/** As Colyseus' JavaScript SDK packs: objects are records. */
const sdk = new Packr();
const packers: readonly ((value: unknown) => Uint8Array)[] = [(value) => sdk.pack(value), pack];

const leaf = fc.oneof(
  fc.constantFrom(undefined, null, true, false, new Date(0), new Date(Number.NaN)),
  fc.integer(),
  fc.double(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
  fc.string({ maxLength: 300 }),
  fc.uint8Array({ maxLength: 300 }),
  fc.date({ min: new Date(-1e12), max: new Date(1e13) }),
);
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    leaf,
    fc.array(tie("value"), { maxLength: 20 }),
    fc.dictionary(fc.string({ maxLength: 40 }), tie("value"), { maxKeys: 18 }),
  ),
}));

test("whatever a client packs passes, and never when it is cut short or goes on", () => {
  fc.assert(
    fc.property(value, (sent) => {
      for (const packer of packers) {
        const payload = Buffer.from(packer(sent));
        if (payload.filter((byte) => byte === 0x72).length > RECORD_SHAPES_MAX) continue;
        assert.notEqual(payloadShape(payload, 0), "malformed", payload.toString("hex"));
        const cut = payload.subarray(0, -1);
        if (cut.length > 0) assert.equal(payloadShape(cut, 0), "malformed");
        assert.equal(payloadShape(Buffer.concat([payload, Buffer.of(0xc0)]), 0), "malformed");
      }
    }),
    { seed, numRuns },
  );
});

test("what passes is decoded to its end, in bounded time", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), (bytes) => {
      const payload = Buffer.from(bytes);
      if (payloadShape(payload, 0) === "malformed") return;
      try {
        unpack(payload);
      } catch (error) {
        // A key or a date that JavaScript can't have is refused by the decoder itself.
        assert.match(String(error), /Invalid|Unexpected|property|BigInt/);
      }
    }),
    { seed, numRuns: numRuns * 20 },
  );
});

test("a decoder may be left with a view of the frame only where there are bytes", () => {
  assert.equal(payloadShape(Buffer.from(sdk.pack({ a: Uint8Array.of(1) })), 0), "binary");
  assert.equal(payloadShape(Buffer.from(sdk.pack({ a: "\u00c4\u00c5" })), 0), "plain");
  assert.equal(payloadShape(Buffer.alloc(0), 0), "plain");
});

/** A list whose every entry holds the one before twice, by reference. */
function laughs(levels: number): Buffer {
  const reference = (id: number) => [0xd6, 0x70, 0, 0, 0, id];
  const entry = (id: number, body: number[]) => [0xd6, 0x69, 0, 0, 0, id, ...body];
  const entries = Array.from({ length: levels }, (_, level) =>
    entry(level + 1, [0x92, ...reference(level), ...reference(level)]),
  );
  return Buffer.from([0xdc, 0, levels + 1, ...entry(0, [0x91, 1]), ...entries.flat()]);
}

const nested = (depth: number) => Buffer.concat([Buffer.alloc(depth, 0x91), Buffer.of(1)]);
const shapes = (count: number) =>
  Buffer.concat([
    Buffer.from([0xdc, 0, count]),
    ...Array.from({ length: count }, () => Buffer.from([0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 1])),
  ]);

const bombs: Readonly<Record<string, Buffer>> = {
  "a value that refers to itself again and again": laughs(40),
  "a list nested too deep": nested(DEPTH_MAX + 1),
  "16 KiB of brackets": Buffer.alloc(16_384, 0x91),
  "a list whose length lies": Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff, 1]),
  "a map whose length lies": Buffer.from([0xdf, 0xff, 0xff, 0xff, 0xff, 1, 1]),
  "a text whose length lies": Buffer.from([0xdb, 0xff, 0xff, 0xff, 0xff, 0x61]),
  "bytes whose length lies": Buffer.from([0xc6, 0xff, 0xff, 0xff, 0xff, 1]),
  "a length that is cut off": Buffer.from([0xdd, 0xff]),
  "a regular expression": Buffer.from([0xd4, 0x78, 0, 0x92, 0xa1, 0x61, 0xa0]),
  "an error object": Buffer.from([0xd4, 0x65, 0, 0x92, 0xa1, 0x61, 0xa0]),
  "more shapes of object than a message has": shapes(RECORD_SHAPES_MAX + 1),
  "a record without fields' names": Buffer.from([0xd4, 0x72, 0x40, 0xc0, 1]),
  "a reserved marker": Buffer.of(0xc1),
};

for (const [name, payload] of Object.entries(bombs)) {
  test(`${name} reaches no decoder`, () => {
    assert.equal(payloadShape(payload, 0), "malformed");
  });
}

test("what is just within the limits passes", () => {
  assert.equal(payloadShape(nested(DEPTH_MAX), 0), "plain");
  assert.equal(payloadShape(shapes(RECORD_SHAPES_MAX), 0), "plain");
});

const frame = (...bytes: number[]) => frameOf(Uint8Array.from(bytes).buffer);

test("a message's name must be whole, text that is text, and not one of Colyseus' own", () => {
  assert.ok(frame(13, 0xa1, 0x78), "a name alone");
  assert.ok(frame(13, 0xd9, 1, 0x78, 0xc0), "a name with its length apart");
  assert.ok(frame(13, 7, 0xc0), "a number for a name");
  assert.ok(frame(13, 0xcd, 7, 7, 0xc0), "a larger one");
  assert.ok(frame(21, 5, 0xa1, 0x78, 0xc0), "a request");
  assert.ok(frame(17, 0xa1, 0x78, 1, 2, 3), "bytes");
  assert.ok(frame(18), "a ping");
  for (const bytes of [
    [13],
    [13, 0xa0],
    [13, 0xa2, 0x78],
    [13, 0xa1, 0xff],
    [13, 0xd9],
    [13, 0xda, 1],
    [13, 0xdb, 0xff, 0xff, 0xff, 0xff, 0x78],
    [13, 0xcb, 1, 2, 3],
    [13, 0xc0, 1],
    [17, 0xa2, 0x78],
    [21, 0xcd],
    [21, 5],
    [21, 5, 0xa1, 0x78, 0x91],
    [13, 0xa1, 0x2a, 0x80],
    [21, 5, 0xa1, 0x2a, 0x80],
    [13, 0xa4, 0x5f, 0x24, 0x62, 0x78, 0x80],
  ]) {
    assert.equal(frame(...bytes), undefined, bytes.join());
  }
});
