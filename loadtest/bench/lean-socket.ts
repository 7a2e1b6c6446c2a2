/**
 * A websocket for load generators, with as few instructions and bytes as will do: a TCP socket, one
 * buffer that all sockets read into, no mask worth the name, pings answered, nothing else. It trusts
 * the server: it is for our own servers on the loopback only.
 */
import { connect, type Socket } from "node:net";

const OPCODE_BINARY = 2;
const OPCODE_CLOSE = 8;
const OPCODE_PING = 9;
const OPCODE_PONG = 10;
const FINAL = 0x80;
const MASKED = 0x80;
/** Of a header before the extended length. */
const HEADER_BYTES = 2;
const MASK_BYTES = 4;
/** Longer payloads have an extended length; none that is sent here does. */
const SHORT_BYTES_MAX = 125;
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const READ_BYTES = 65_536;
/** The server's answer to it is not checked. */
const KEY = Buffer.alloc(16).toString("base64");
const HEAD_END = "\r\n\r\n";
const ACCEPTED = "HTTP/1.1 101";

/** Reads are handled before the next one begins, so one buffer serves all sockets. */
const readBuffer = Buffer.allocUnsafe(READ_BYTES);
const pong = clientFrame(OPCODE_PONG, Buffer.alloc(0));

/** Where a websocket is. */
export interface LeanAddress {
  readonly host: string;
  readonly port: number;
  /** With the query. */
  readonly path: string;
  /** The near end; the system's choice without it. */
  readonly localAddress?: string | undefined;
}

/** Shared by many sockets, which is why each names itself. */
export interface LeanEvents {
  /** A message came. The payload is valid only until this returns. */
  message(socket: LeanSocket, payload: Buffer): void;
  /** The connection is over, or never came about: then with the reason. */
  closed(socket: LeanSocket, reason: string): void;
}

export class LeanSocket {
  readonly #socket: Socket;
  readonly #events: LeanEvents;
  /** What came of a message that is not whole yet. */
  #rest: Buffer | undefined;
  #upgraded = false;
  #reason = "";

  constructor({ host, port, path, localAddress }: LeanAddress, events: LeanEvents) {
    this.#events = events;
    this.#socket = connect({
      host,
      port,
      ...(localAddress !== undefined && { localAddress }),
      noDelay: true,
      onread: {
        buffer: readBuffer,
        callback: (bytes) => {
          this.#received(readBuffer.subarray(0, bytes));
          return true;
        },
      },
    });
    this.#socket.once("error", (error) => {
      this.#reason = error.message;
    });
    this.#socket.once("close", () => events.closed(this, this.#reason));
    this.#socket.write(
      `GET ${path} HTTP/1.1\r\nhost: ${host}:${port}\r\nconnection: upgrade\r\n` +
        `upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: ${KEY}${HEAD_END}`,
    );
  }

  /** @param frame from `messageFrame` */
  send(frame: Buffer): void {
    this.#socket.write(frame);
  }

  /** Cuts the connection. */
  destroy(): void {
    this.#socket.destroy();
  }

  #received(chunk: Buffer): void {
    let data = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk;
    this.#rest = undefined;
    if (!this.#upgraded) {
      const headEnd = data.indexOf(HEAD_END);
      if (headEnd >= 0) data = this.#upgrade(data, headEnd);
    }
    if (this.#upgraded) data = this.#takeFrames(data);
    // A copy, because the next read overwrites the buffer.
    if (data.length > 0) this.#rest = Buffer.from(data);
  }

  #upgrade(data: Buffer, headEnd: number): Buffer {
    const head = data.toString("latin1", 0, headEnd);
    if (head.startsWith(ACCEPTED)) this.#upgraded = true;
    else this.#end(head.slice(0, head.indexOf("\r\n")));
    return data.subarray(headEnd + HEAD_END.length);
  }

  /** @returns what is left: the beginning of a frame */
  #takeFrames(data: Buffer): Buffer {
    let left = data;
    for (let frame = frameIn(left); frame; frame = frameIn(left)) {
      this.#take(frame.opcode, left.subarray(frame.payloadAt, frame.endsAt));
      left = left.subarray(frame.endsAt);
    }
    return left;
  }

  #take(opcode: number, payload: Buffer): void {
    if (opcode === OPCODE_BINARY) this.#events.message(this, payload);
    else if (opcode === OPCODE_PING) this.#socket.write(pong);
    else if (opcode === OPCODE_CLOSE) this.#end(`closed ${closeText(payload)}`);
  }

  #end(reason: string): void {
    this.#reason = reason;
    this.#socket.end(clientFrame(OPCODE_CLOSE, Buffer.alloc(0)));
  }
}

/** A binary message as a client sends it. */
export function messageFrame(payload: Uint8Array): Buffer {
  return clientFrame(OPCODE_BINARY, payload);
}

/** Clients must mask; a mask of zeros changes nothing and costs nothing. */
function clientFrame(opcode: number, payload: Uint8Array): Buffer {
  if (payload.length > SHORT_BYTES_MAX) throw new Error("too long for a lean websocket");
  const frame = Buffer.alloc(HEADER_BYTES + MASK_BYTES + payload.length);
  frame[0] = FINAL | opcode;
  frame[1] = MASKED | payload.length;
  frame.set(payload, HEADER_BYTES + MASK_BYTES);
  return frame;
}

interface Frame {
  readonly opcode: number;
  readonly payloadAt: number;
  readonly endsAt: number;
}

/** The whole frame that the data begins with, if it does. */
function frameIn(data: Buffer): Frame | undefined {
  const [first, second] = data;
  if (first === undefined || second === undefined) return undefined;
  const length = second & ~MASKED;
  const extended = length === LENGTH_16 ? 2 : length === LENGTH_64 ? 8 : 0;
  const payloadAt = HEADER_BYTES + extended;
  if (data.length < payloadAt) return undefined;
  // The low bytes of the eight: no server of ours sends more than fits in six.
  const bytes =
    extended === 2 ? data.readUInt16BE(2) : extended === 8 ? data.readUIntBE(4, 6) : length;
  const endsAt = payloadAt + bytes;
  return data.length < endsAt ? undefined : { opcode: first & 0x0f, payloadAt, endsAt };
}

function closeText(payload: Buffer): string {
  return payload.length < 2 ? "" : `${payload.readUInt16BE(0)} ${payload.toString("utf8", 2)}`;
}
