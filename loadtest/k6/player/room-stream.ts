/**
 * What a room sends on one connection, read frame by frame: the real decoder of `@colyseus/schema`, over classes that
 * the room itself describes in its handshake.
 *
 * To make these classes costs 10 to 20 ms in k6's engine, so those of a handshake that was seen before are taken
 * again. A patch costs 0.4 ms in a room of 10 and 3 ms in one of 50: whoever does not need the state stops decoding,
 * and goes on to count frames by their first byte, which is 100 times cheaper. A decoder can't be taken up again
 * in the middle; a new connection has a new one.
 */

import { Decoder, decode, Reflection, type Schema } from "@colyseus/schema";
import { PROTOCOL_CODE_MASK, Protocol } from "@colyseus/shared-types";
import { unpack } from "msgpackr/unpack";

export type Frame =
  | { readonly kind: "join"; readonly reconnectionToken: string }
  | { readonly kind: "state" | "patch" | "other" }
  | { readonly kind: "message"; readonly type: string | number; readonly payload: unknown }
  | { readonly kind: "error"; readonly words: string };

interface At {
  offset: number;
}

type Root = new () => Schema;

/** Of handshakes: a world has a few games, and two builds of each at most. */
const KNOWN_MAX = 16;
const known: { readonly handshake: Uint8Array; readonly root: Root }[] = [];

export class RoomStream {
  /** Undefined before the first state, and after `stopDecoding`. */
  state: Schema | undefined;
  #decoder: Decoder | undefined;
  #decodes = true;

  /** @throws where the frame makes no sense */
  read(bytes: Uint8Array): Frame {
    const at = { offset: 1 };
    switch ((bytes[0] ?? 0) & PROTOCOL_CODE_MASK) {
      case Protocol.JOIN_ROOM:
        return this.#join(bytes, at);
      case Protocol.ROOM_STATE:
        this.#decode(bytes, at);
        return { kind: "state" };
      case Protocol.ROOM_STATE_PATCH:
        this.#decode(bytes, at);
        return { kind: "patch" };
      case Protocol.ROOM_DATA: {
        const type = typeAt(bytes, at);
        const payload = bytes.length > at.offset ? unpack(bytes.subarray(at.offset)) : undefined;
        return { kind: "message", type, payload };
      }
      case Protocol.ERROR: {
        const code = decode.number(bytes, at);
        return { kind: "error", words: `${code} ${decode.string(bytes, at)}` };
      }
      default:
        return { kind: "other" };
    }
  }

  get decodes(): boolean {
    return this.#decodes;
  }

  stopDecoding(): void {
    this.#decodes = false;
    this.#decoder = undefined;
    this.state = undefined;
  }

  #join(bytes: Uint8Array, at: At): Frame {
    const reconnectionToken = shortText(bytes, at);
    const serializer = shortText(bytes, at);
    if (serializer !== "schema") throw new Error(`the state is serialized by "${serializer}"`);
    const end = decode.number(bytes, at) + at.offset;
    const root = rootOf(bytes.subarray(at.offset, end));
    this.#decoder = new Decoder(new root());
    return { kind: "join", reconnectionToken };
  }

  #decode(bytes: Uint8Array, at: At): void {
    if (!this.#decodes) {
      if (bytes.length <= 1) throw new Error("a frame of the state without a state");
      return;
    }
    if (!this.#decoder) throw new Error("a state came before the handshake");
    this.#decoder.decode(bytes, at);
    this.state = this.#decoder.state;
  }
}

function rootOf(handshake: Uint8Array): Root {
  const found = known.find((one) => isSame(one.handshake, handshake));
  if (found) return found.root;
  // Copied: the frame's memory may be the network's.
  const copy = handshake.slice();
  const { state } = Reflection.decode(copy);
  const root = state.constructor as Root;
  if (known.length >= KNOWN_MAX) known.shift();
  known.push({ handshake: copy, root });
  return root;
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}

function shortText(bytes: Uint8Array, at: At): string {
  const length = bytes[at.offset] ?? 0;
  at.offset += 1;
  return decode.utf8Read(bytes, at, length);
}

function typeAt(bytes: Uint8Array, at: At): string | number {
  return decode.stringCheck(bytes, at) ? decode.string(bytes, at) : decode.number(bytes, at);
}
