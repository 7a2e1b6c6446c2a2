/**
 * A received frame as Colyseus wants it: a Buffer over the memory of uWebSockets.js, which takes it
 * back when the handler returns. Nearly all frames are decoded at once into numbers and strings, so
 * no copy is made. What game code could keep a view of is copied: raw bytes, and packed messages
 * that hold binary fields.
 *
 * Messages are looked over first: Colyseus' decoders end at the frame's end whatever it says, print to
 * the console what they can't read, and hand a room half of a name or of a payload.
 */
import { isUtf8 } from "node:buffer";
import { payloadShape } from "./payload-shape.ts";

/** The low five bits of a frame's first byte are Colyseus' protocol code. */
const CODE_MASK = 0x1f;
const ROOM_DATA = 13;
const ROOM_DATA_BYTES = 17;
const ROOM_REQUEST = 21;
/** Colyseus keeps the handler of all other names, and those of bytes, among the named ones. */
const OTHER_NAMES = [..."*"].map((sign) => sign.charCodeAt(0));
const BYTES_PREFIX = [..."_$b"].map((sign) => sign.charCodeAt(0));

/** The frame, or undefined when it is a message of a form that no client sends. */
export function frameOf(data: ArrayBuffer): Buffer | undefined {
  const frame = Buffer.from(data);
  const code = (frame[0] ?? 0) & CODE_MASK;
  if (code !== ROOM_DATA && code !== ROOM_DATA_BYTES && code !== ROOM_REQUEST) return frame;
  const nameAt = code === ROOM_REQUEST ? numberEnd(frame, 1) : 1;
  const payloadAt = nameAt && (textEnd(frame, nameAt) ?? numberEnd(frame, nameAt));
  if (payloadAt === undefined) return undefined;
  if (code === ROOM_DATA_BYTES) return Buffer.from(frame);
  const shape = payloadShape(frame, payloadAt);
  if (shape === "malformed") return undefined;
  return shape === "binary" ? Buffer.from(frame) : frame;
}

/** Where a message's name ends, when it is text. Its length is little-endian here. */
function textEnd(frame: Buffer, at: number): number | undefined {
  const marker = frame[at];
  if (marker === undefined || marker <= 0xa0 || marker > 0xdb) return undefined;
  const short = marker < 0xc0;
  if (!short && marker < 0xd9) return undefined;
  const lengthBytes = short ? 0 : 1 << (marker - 0xd9);
  const textAt = at + 1 + lengthBytes;
  if (textAt > frame.length) return undefined;
  const length = short ? marker & 0x1f : frame.readUIntLE(at + 1, lengthBytes);
  const end = textAt + length;
  return end <= frame.length && isName(frame, textAt, end) ? end : undefined;
}

/** Text, and no name by which a client would call a handler that was meant for something else. */
function isName(frame: Buffer, at: number, end: number): boolean {
  if (end - at === OTHER_NAMES.length && holds(frame, at, OTHER_NAMES)) return false;
  if (end - at >= BYTES_PREFIX.length && holds(frame, at, BYTES_PREFIX)) return false;
  return isAscii(frame, at, end) || isUtf8(frame.subarray(at, end));
}

function holds(frame: Buffer, at: number, bytes: readonly number[]): boolean {
  return bytes.every((byte, index) => frame[at + index] === byte);
}

/** Nearly all names are, and a loop over a few bytes is cheaper than a view of them. */
function isAscii(frame: Buffer, at: number, end: number): boolean {
  for (let index = at; index < end; index += 1) if ((frame[index] ?? 0) >= 0x80) return false;
  return true;
}

/** Where a number of the schema's encoding ends: one byte, or a marker and up to eight. */
function numberEnd(frame: Buffer, at: number): number | undefined {
  const marker = frame[at];
  if (marker === undefined) return undefined;
  if (marker < 0x80 || marker > 0xdf) return at + 1;
  const bytes = numberBytes(marker);
  const end = at + 1 + (bytes ?? 0);
  return bytes !== undefined && end <= frame.length ? end : undefined;
}

function numberBytes(marker: number): number | undefined {
  if (marker >= 0xca && marker <= 0xcb) return 4 << (marker - 0xca);
  if (marker >= 0xcc && marker <= 0xcf) return 1 << (marker - 0xcc);
  if (marker >= 0xd0 && marker <= 0xd3) return 1 << (marker - 0xd0);
  return undefined;
}
