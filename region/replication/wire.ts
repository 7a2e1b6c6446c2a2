/**
 * What goes over a replica stream: messages of a length, a type and a body.
 *
 *     length:4 type:1 body          numbers little-endian; `length` counts type and body
 *
 * Owner → standby: `hello` first, then for each room `open` (JSON: who it is and the number that it goes by on
 * this stream), `frame` (number:4 players:2 bytes), `last` (as `frame`: a full one, and the owner is done with the
 * room) and `ended` (number:4). `mark` (number:4) asks for an `ack` of all before it. `bye`: the stream ends, and
 * its owner does not.
 * Standby → owner: `welcome`, `ack` (number:4), `again` (number:4: a full frame is needed), `refused` (number:4: no
 * place for that room).
 *
 * Room frames are not looked into beyond their heads: a standby keeps bytes.
 */
import { z } from "zod";
import { Epoch } from "../../shared/epoch.ts";
import { MeridianError } from "../../shared/errors.ts";
import { GameName, NodeId, RegionId, RoomId } from "../../shared/ids.ts";
import { HostPort } from "../../shared/protocol/link.ts";
import { FRAME_BYTES_MAX } from "../rooms/room-frame.ts";

/** Another one is not understood. */
export const STREAM_PROTOCOL = 1;
const HEAD_BYTES = 5;
const LENGTH_BYTES = 4;
/** A room's frame with its head. */
export const MESSAGE_BYTES_MAX = FRAME_BYTES_MAX + 64;
/** `hello` and `open`. */
const JSON_BYTES_MAX = 1024;
/** All that is read of a stream before its sender has said who it is. */
export const HELLO_BYTES_MAX = JSON_BYTES_MAX + 1;
export const PLAYERS_MAX = 0xffff;

const TYPES = [
  "hello",
  "open",
  "frame",
  "last",
  "ended",
  "mark",
  "bye",
  "welcome",
  "ack",
  "again",
  "refused",
] as const;
export type MessageType = (typeof TYPES)[number];

/** Who sends the stream. */
export const Hello = z.object({
  protocol: z.literal(STREAM_PROTOCOL),
  regionId: RegionId,
  nodeId: NodeId,
  /** Where the sender itself is asked things. */
  linkAddress: HostPort,
});
export type Hello = z.infer<typeof Hello>;

export const OpenRoom = z.object({
  /** Stands for the room on this stream, from here on. */
  number: z.number().int().min(0).max(0xffff_ffff),
  roomId: RoomId,
  game: GameName,
  roomEpoch: Epoch,
  /** Of a copy that is passed on: whose room it is. */
  ofNode: NodeId.optional(),
});
export type OpenRoom = z.infer<typeof OpenRoom>;

export interface Message {
  readonly type: MessageType;
  /** Into the bytes that were pushed: to be copied if it is kept. */
  readonly body: Buffer;
}

/** The head of a message whose body is sent right after it. */
function head(type: MessageType, bodyBytes: number, extraBytes: number): Buffer {
  const bytes = Buffer.allocUnsafe(HEAD_BYTES + extraBytes);
  bytes.writeUInt32LE(1 + extraBytes + bodyBytes, 0);
  bytes[LENGTH_BYTES] = TYPES.indexOf(type);
  return bytes;
}

export function jsonMessage(type: MessageType, value: Hello | OpenRoom): Buffer {
  const body = Buffer.from(JSON.stringify(value));
  return Buffer.concat([head(type, body.length, 0), body]);
}

export function bareMessage(type: MessageType): Buffer {
  return head(type, 0, 0);
}

export function numberMessage(type: MessageType, number: number): Buffer {
  const bytes = head(type, 0, 4);
  bytes.writeUInt32LE(number, HEAD_BYTES);
  return bytes;
}

export function frameHead(
  type: "frame" | "last",
  { number, players, bytes }: { number: number; players: number; bytes: number },
): Buffer {
  const made = head(type, bytes, 6);
  made.writeUInt32LE(number, HEAD_BYTES);
  made.writeUInt16LE(Math.min(players, PLAYERS_MAX), HEAD_BYTES + 4);
  return made;
}

/** @throws {MeridianError} `bad_request` */
export function numberIn({ body }: Message): number {
  if (body.length < 4) throw wrong("a number is missing");
  return body.readUInt32LE(0);
}

/** @throws {MeridianError} `bad_request` */
export function frameIn(message: Message): { number: number; players: number; bytes: Buffer } {
  const { body } = message;
  if (body.length < 6) throw wrong("a frame is cut off");
  const number = numberIn(message);
  return { number, players: body.readUInt16LE(4), bytes: body.subarray(6) };
}

/** @throws {MeridianError} `bad_request` */
export function jsonIn<T>({ body }: Message, form: z.ZodType<T>): T {
  if (body.length > JSON_BYTES_MAX) throw wrong("too long");
  try {
    return form.parse(JSON.parse(body.toString()));
  } catch (cause) {
    throw wrong("a message has a wrong form", cause);
  }
}

export function wrong(message: string, cause?: unknown): MeridianError {
  return new MeridianError("bad_request", { message: `A replica stream: ${message}.`, cause });
}

/** Cuts a stream of bytes into messages. Holds at most one that has not wholly arrived. */
export class MessageReader {
  #longest: number;
  #parts: Buffer[] = [];
  #held = 0;
  #needed = HEAD_BYTES;

  /** @param longest of one message, bytes */
  constructor(longest = MESSAGE_BYTES_MAX) {
    this.#longest = longest;
  }

  /** From the next message on. */
  allow(longest: number): void {
    this.#longest = longest;
  }

  /** @throws {MeridianError} `bad_request` at what is no message; the stream is worth nothing then */
  *push(chunk: Buffer): Generator<Message> {
    this.#parts.push(chunk);
    this.#held += chunk.length;
    // Parts are joined once a whole message is there: a large one comes in many.
    if (this.#held < this.#needed) return;
    const bytes = this.#parts.length === 1 ? chunk : Buffer.concat(this.#parts, this.#held);
    let at = 0;
    let next = this.#sizeAt(bytes, at);
    while (bytes.length - at >= next) {
      const type = TYPES[bytes[at + LENGTH_BYTES] ?? TYPES.length];
      if (!type) throw wrong("a message of no known type");
      yield { type, body: bytes.subarray(at + HEAD_BYTES, at + next) };
      at += next;
      next = this.#sizeAt(bytes, at);
    }
    const rest = bytes.subarray(at);
    this.#parts = rest.length > 0 ? [rest] : [];
    this.#held = rest.length;
    this.#needed = next;
  }

  /** Of the message there, as far as it can be told. */
  #sizeAt(bytes: Buffer, at: number): number {
    if (bytes.length - at < HEAD_BYTES) return HEAD_BYTES;
    const length = bytes.readUInt32LE(at);
    if (length < 1 || length > this.#longest) throw wrong(`a message of ${length} bytes`);
    return LENGTH_BYTES + length;
  }
}
