/**
 * One player of the crowd, as cheap as a correct one can be: a socket that speaks just enough of
 * websockets and of Colyseus' protocol to join, to send inputs and to count what comes. State is not
 * decoded; the observer does that.
 */
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";
import { Protocol } from "@colyseus/core";
import type { Random } from "../../../region/rooms/random.ts";
import { FIRST_INPUT, INPUT_FRAME_BYTES, writeInput } from "./input-frame.ts";
import { Opcode, WebSocketReader } from "./websocket-reader.ts";

/** Sockets are read one at a time, so they share one buffer. */
const readBuffer = Buffer.allocUnsafe(65_536);
const UPGRADED = "HTTP/1.1 101 ";
const HEAD_END = "\r\n\r\n";
const HEAD_BYTES_MAX = 4_096;
const LAST_FRAME_BIT = 0x80;
const MASKED_BIT = 0x80;
const MASK_BYTES = 4;
const FRAME_HEAD_BYTES = 2 + MASK_BYTES;
const FULL_TURN = 2 * Math.PI;

export interface RawPlayerOptions {
  readonly url: URL;
  /** Where the player runs, and what frames are masked with. */
  readonly random: Random;
  /** The room's state has come. */
  readonly onJoined: () => void;
  /** The connection failed or was closed, before or after the join. */
  readonly onBroken: (error: Error) => void;
}

export class RawPlayer {
  /** Of everything that came, heads of frames included. */
  bytesReceived = 0;
  patches = 0;
  readonly #options: RawPlayerOptions;
  readonly #socket: Socket;
  readonly #reader = new WebSocketReader((...frame) => this.#frame(...frame));
  /** The answer to the upgrade; undefined once it is complete. */
  #head: Buffer | undefined = Buffer.alloc(0);
  #input = FIRST_INPUT;

  constructor(options: RawPlayerOptions) {
    const { url, onBroken } = options;
    this.#options = options;
    this.#socket = connect({
      host: url.hostname,
      port: Number(url.port),
      noDelay: true,
      onread: {
        buffer: readBuffer,
        callback: (bytes) => {
          this.#received(readBuffer.subarray(0, bytes));
          return true;
        },
      },
    });
    this.#socket.once("connect", () => this.#socket.write(upgradeRequest(url)));
    this.#socket.once("error", onBroken);
    this.#socket.once("close", () => onBroken(new Error("a player's connection was closed")));
  }

  /** Turns to somewhere. */
  sendInput(): void {
    const payloadAt = FRAME_HEAD_BYTES;
    const frame = Buffer.allocUnsafe(payloadAt + INPUT_FRAME_BYTES);
    this.#input += 1;
    const facing = this.#options.random.float() * FULL_TURN;
    writeInput(frame, payloadAt, { input: this.#input, facing });
    this.#send(Opcode.BINARY, frame);
  }

  #received(bytes: Buffer): void {
    try {
      this.bytesReceived += bytes.length;
      if (this.#head) this.#readHead(this.#head, bytes);
      else this.#reader.read(bytes);
    } catch (error) {
      this.#socket.destroy(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #readHead(before: Buffer, bytes: Buffer): void {
    const head = Buffer.concat([before, bytes]);
    const end = head.indexOf(HEAD_END);
    if (end < 0 && head.length <= HEAD_BYTES_MAX) {
      this.#head = head;
      return;
    }
    const answer = head.toString("latin1", 0, Math.max(0, end));
    if (!answer.startsWith(UPGRADED)) throw new Error(`no websocket: ${answer.slice(0, 80)}`);
    this.#head = undefined;
    this.#reader.read(head.subarray(end + HEAD_END.length));
  }

  #frame(opcode: number, firstByte: number, payloadBytes: number): void {
    if (opcode === Opcode.PING) this.#answerPing(payloadBytes);
    if (opcode !== Opcode.BINARY) return;
    if (firstByte === Protocol.ROOM_STATE_PATCH) this.patches += 1;
    else if (firstByte === Protocol.JOIN_ROOM) this.#acknowledge();
    else if (firstByte === Protocol.ROOM_STATE) this.#options.onJoined();
    else if (firstByte === Protocol.ERROR) throw new Error("the room answered with an error");
  }

  #acknowledge(): void {
    const frame = Buffer.alloc(FRAME_HEAD_BYTES + 1, Protocol.JOIN_ROOM);
    this.#send(Opcode.BINARY, frame);
  }

  #answerPing(payloadBytes: number): void {
    if (payloadBytes > 0) throw new Error("a ping with a payload, which would have to be echoed");
    this.#send(Opcode.PONG, Buffer.alloc(FRAME_HEAD_BYTES));
  }

  /** @param frame its payload, below 126 bytes, with room for the head before it */
  #send(opcode: number, frame: Buffer): void {
    frame[0] = LAST_FRAME_BIT | opcode;
    frame[1] = MASKED_BIT | (frame.length - FRAME_HEAD_BYTES);
    // Servers skip the unmasking when the mask is zero, and no client's is.
    frame.writeUInt32BE(this.#options.random.next() || 1, 2);
    for (let at = FRAME_HEAD_BYTES; at < frame.length; at += 1) {
      const mask = frame[2 + ((at - FRAME_HEAD_BYTES) % MASK_BYTES)] ?? 0;
      frame[at] = (frame[at] ?? 0) ^ mask;
    }
    this.#socket.write(frame);
  }
}

function upgradeRequest(url: URL): string {
  return [
    `GET ${url.pathname}${url.search} HTTP/1.1`,
    `Host: ${url.host}`,
    "Upgrade: websocket",
    "Connection: Upgrade",
    `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
    `Sec-WebSocket-Version: 13${HEAD_END}`,
  ].join("\r\n");
}
