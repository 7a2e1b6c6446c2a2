/** What a client sends, byte for byte as the stock Colyseus client does. */

import { encode } from "@colyseus/schema";
import { Protocol } from "@colyseus/shared-types";
import { Packr } from "msgpackr/pack";

const TYPE_BYTES_MAX = 64;
const packr = new Packr();

export const leaveFrame = Uint8Array.of(Protocol.LEAVE_ROOM).buffer;

export function messageFrame(type: string, payload: unknown): ArrayBuffer {
  const head = new Uint8Array(TYPE_BYTES_MAX);
  head[0] = Protocol.ROOM_DATA;
  const at = { offset: 1 };
  encode.string(head, type, at);
  const body = packr.pack(payload);
  const frame = new Uint8Array(at.offset + body.length);
  frame.set(head.subarray(0, at.offset));
  frame.set(body, at.offset);
  return frame.buffer;
}
