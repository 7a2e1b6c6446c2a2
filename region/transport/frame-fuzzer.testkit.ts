/** For tests: frames as a stock client sends them, and everything that can be wrong with one. */
import type { Room } from "@colyseus/sdk";
import { Packr } from "msgpackr";
import type { Chance } from "../../shared/chance.testkit.ts";

/** Colyseus' codes, of which clients send some, and those that mean nothing. */
const CODES = [0, 1, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 31];
const JOIN_ROOM = 10;
const ROOM_DATA = 13;
const ROOM_REQUEST = 21;
const NAMES = [
  "_$braw",
  "move",
  "rename",
  "teleport",
  "*",
  "__proto__",
  "constructor",
  "toString",
  "",
];
/** Markers whose lengths, types or references a decoder must not believe. */
const MARKERS = [
  0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc4, 0xc5, 0xc6, 0xc7, 0xc8, 0xc9, 0xca,
  0xcb, 0xcf, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0xff,
];
/** msgpackr's extensions: bigint, bundled strings, error, reference, set, typed array, pattern. */
const EXTENSIONS = [0x42, 0x62, 0x65, 0x69, 0x70, 0x72, 0x73, 0x74, 0x78, 0xff, 0x00];
const FRAME_BYTES_MAX = 16_384;
const sdk = new Packr();

/** Has a joined client send one of each kind of frame, and answers those. It has left after that. */
export async function recordFrames(room: Room): Promise<Uint8Array[]> {
  const frames: Uint8Array[] = [Uint8Array.of(JOIN_ROOM)];
  const { connection } = room;
  const send = connection.send.bind(connection);
  connection.send = (data) => {
    frames.push(Uint8Array.from(data as Uint8Array));
    send(data);
  };
  room.send("move", { input: 7, x: 0.5, y: -0.25 });
  room.send("move", { input: 2 ** 31, x: 1, y: 0 });
  room.send("rename", { name: "Zoë 🐢" });
  room.send("list", [{ a: 1 }, { a: 2 }, { a: 3, b: [null, undefined, true] }]);
  room.send("date", new Date(1_700_000_000_123));
  room.send("text", "x".repeat(300));
  room.send(3, { wrong: "name" });
  room.send("nothing");
  room.sendBytes("raw", Uint8Array.of(1, 2, 3));
  room.send("bytes", { blob: new Uint8Array(40) });
  room.request("move", { input: 8, x: 0, y: 0 }).catch(() => undefined);
  room.request("nobody", {}).catch(() => undefined);
  room.ping(() => undefined);
  await room.leave();
  return frames;
}

type Mutation = (frame: Buffer, chance: Chance) => Buffer;

const mutations: readonly Mutation[] = [
  (frame) => frame,
  flip,
  flip,
  (frame, chance) => frame.subarray(0, chance.below(frame.length + 1)),
  (frame, chance) => Buffer.concat([frame, chance.bytes(1 + chance.below(32))]),
  (frame, chance) => Buffer.concat(Array.from({ length: 1 + chance.below(8) }, () => frame)),
  (frame, chance) => replaced(frame, [chance.of(MARKERS)], chance),
  (frame, chance) => replaced(frame, [chance.of(MARKERS), ...chance.bytes(4)], chance),
  (frame, chance) => replaced(frame, [0xd4, chance.of(EXTENSIONS), 0x40], chance),
  (frame, chance) => replaced(frame, [0xd6, chance.of(EXTENSIONS), 0, 0, 0, 1], chance),
  (frame, chance) => replaced(frame, [0xc7, chance.below(20), chance.of(EXTENSIONS)], chance),
  (frame, chance) => {
    const coded = Buffer.from(frame);
    if (coded.length > 0) coded[0] = chance.of(CODES) | (chance.below(8) << 5);
    return coded;
  },
  (_frame, chance) => chance.bytes(chance.below(64)),
  (_frame, chance) => message(chance, sdk.pack(wrongValue(chance, 0))),
  (_frame, chance) => message(chance, depthBomb(chance)),
  (_frame, chance) => message(chance, sizeBomb(chance)),
  (_frame, chance) => message(chance, referenceBomb(chance)),
];

/** One frame of the recorded ones, with up to three things done to it. */
export function mutatedFrame(recorded: readonly Uint8Array[], chance: Chance): Buffer {
  let frame: Buffer = Buffer.from(chance.of(recorded));
  for (let left = 1 + chance.below(3); left > 0; left -= 1) {
    frame = chance.of(mutations)(frame, chance);
  }
  return frame.subarray(0, FRAME_BYTES_MAX);
}

function flip(frame: Buffer, chance: Chance): Buffer {
  const flipped = Buffer.from(frame);
  const at = chance.below(flipped.length);
  if (flipped.length > 0) flipped[at] = (flipped[at] ?? 0) ^ (1 << chance.below(8));
  return flipped;
}

/** Those bytes instead of as many, anywhere in the frame. */
function replaced(frame: Buffer, bytes: readonly number[], chance: Chance): Buffer {
  const at = chance.below(frame.length + 1);
  return Buffer.concat([frame.subarray(0, at), Buffer.from(bytes), frame.subarray(at + 1)]);
}

function message(chance: Chance, payload: Uint8Array): Buffer {
  const name = Buffer.from(chance.of(NAMES));
  const head = chance.once(3) ? [ROOM_REQUEST, chance.below(128)] : [ROOM_DATA];
  return Buffer.concat([Buffer.from([...head, 0xa0 | name.length]), name, payload]);
}

function wrongValue(chance: Chance, depth: number): unknown {
  const leaves = [null, undefined, true, -1, Number.NaN, Infinity, 2 ** 53, 5n, "x", "\u0000", "é"];
  if (depth > 5 || chance.once(3)) return chance.of(leaves);
  const items = Array.from({ length: chance.below(6) }, () => wrongValue(chance, depth + 1));
  if (chance.once(2)) return items;
  const keys = ["input", "x", "y", "name", "__proto__", "constructor", "toString", "then"];
  return Object.fromEntries(items.map((item) => [chance.of(keys), item]));
}

function depthBomb(chance: Chance): Buffer {
  const opening = chance.of([
    [0x91],
    [0x81, 0xa1, 0x61],
    [0xdc, 0, 1],
    [0xd4, 0x72, 0x40, 0x91, 0xa0],
  ]);
  const depth = chance.of([30, 33, 100, 2_000]);
  return Buffer.concat(Array.from({ length: depth }, () => Buffer.from(opening)));
}

/** A length that promises more than there is, or as many small values as fit. */
function sizeBomb(chance: Chance): Buffer {
  const marker = chance.of([0xc6, 0xdb, 0xdd, 0xdf, 0xc5, 0xda, 0xdc, 0xde]);
  const length = chance.of([
    [0xff, 0xff, 0xff, 0xff],
    [0x00, 0xff, 0xff, 0xff],
    [0, 0, 16, 0],
  ]);
  return Buffer.concat([Buffer.from([marker, ...length]), Buffer.alloc(chance.below(4_096), 0xc0)]);
}

function referenceBomb(chance: Chance): Buffer {
  const levels = 1 + chance.below(60);
  const reference = (id: number) => [0xd6, 0x70, 0, 0, 0, id];
  const entries = Array.from({ length: levels }, (_, level) => {
    return [0xd6, 0x69, 0, 0, 0, level + 1, 0x92, ...reference(level), ...reference(level)];
  });
  const end = chance.once(2) ? [0xc0] : [];
  return Buffer.from([
    0xdc,
    0,
    levels + 1,
    0xd6,
    0x69,
    0,
    0,
    0,
    0,
    0x90,
    ...entries.flat(),
    ...end,
  ]);
}
