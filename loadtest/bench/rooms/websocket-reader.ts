/**
 * Reads what a websocket server sends, as far as counting needs it: where each frame begins, what kind
 * it is, and its first byte. Payloads are skipped, not assembled.
 */
export const Opcode = { BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 } as const;

const LAST_FRAME_BIT = 0x80;
const OPCODE_MASK = 0x0f;
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const NONE = Buffer.alloc(0);

/** @param firstByte of the payload; 0 when it is empty */
export type OnFrame = (opcode: number, firstByte: number, payloadBytes: number) => void;

export class WebSocketReader {
  readonly #onFrame: OnFrame;
  /** Bytes of the frame under way that are still to come. */
  #skipBytes = 0;
  /** The start of a frame that was cut off before its first byte of payload. */
  #cutOff: Buffer = NONE;

  constructor(onFrame: OnFrame) {
    this.#onFrame = onFrame;
  }

  /** @param received is not kept */
  read(received: Buffer): void {
    const bytes = this.#cutOff.length > 0 ? Buffer.concat([this.#cutOff, received]) : received;
    this.#cutOff = NONE;
    let at = Math.min(this.#skipBytes, bytes.length);
    this.#skipBytes -= at;
    while (at < bytes.length) {
      const frameBytes = this.#frameAt(bytes, at);
      if (frameBytes === undefined) {
        this.#cutOff = Buffer.from(bytes.subarray(at));
        return;
      }
      const here = Math.min(frameBytes, bytes.length - at);
      this.#skipBytes = frameBytes - here;
      at += here;
    }
  }

  /** The length of the frame that begins there; undefined when too little of it has come. */
  #frameAt(bytes: Buffer, at: number): number | undefined {
    const left = bytes.length - at;
    if (left < 2) return undefined;
    const first = bytes.readUInt8(at);
    const short = bytes.readUInt8(at + 1);
    if ((first & LAST_FRAME_BIT) === 0 || short > LENGTH_64) {
      throw new Error("the server sends frames that this reader does not know");
    }
    const headBytes = short < LENGTH_16 ? 2 : short === LENGTH_16 ? 4 : 10;
    if (left < headBytes) return undefined;
    const payloadBytes = short < LENGTH_16 ? short : longLength(bytes, at + 2, short);
    if (payloadBytes > 0 && left === headBytes) return undefined;
    const firstByte = payloadBytes > 0 ? bytes.readUInt8(at + headBytes) : 0;
    this.#onFrame(first & OPCODE_MASK, firstByte, payloadBytes);
    return headBytes + payloadBytes;
  }
}

function longLength(bytes: Buffer, at: number, short: number): number {
  return short === LENGTH_16 ? bytes.readUInt16BE(at) : Number(bytes.readBigUInt64BE(at));
}
