/**
 * One player's websocket, as Colyseus sees it (`client.ref`) and as uWebSockets.js drives it.
 *
 * Invariants: the socket is never touched after its close; nothing is sent after a message had to be
 * dropped; the room hears of the close exactly once, and never from inside its own send, because a
 * room may be walking its list of clients at that moment.
 *
 * A close of ours waits until what was sent before has left, for `LINGER_MS` at most, and is then
 * cut: a peer that does not read can't keep memory. Meanwhile the connection is deaf and mute.
 */
import { Protocol } from "@colyseus/core";
import type { Logger } from "pino";
import type { Cancel, Clock } from "../../shared/clock.ts";
import { describeKind, type ErrorKind } from "../../shared/errors.ts";
import { frameOf } from "./frame.ts";
import { Listeners } from "./listeners.ts";
import { TokenBucket } from "./token-bucket.ts";
import type { TransportMetrics } from "./transport-metrics.ts";
import { SEND_DROPPED, type UwsSocket } from "./uws.ts";

/** How long a connection that we end may take to read what was sent before. */
export const LINGER_MS = 2_000;
/** Without a code from the room a leave is final, as Colyseus documents it. */
const NORMAL_CLOSURE = 1000;
/** A close reason has at most 123 bytes. */
const REASON_LENGTH_MAX = 40;
const ACKNOWLEDGEMENT = Buffer.of(Protocol.JOIN_ROOM);

/** As in the browser's WebSocket; Colyseus compares with it. */
export const ReadyState = { OPEN: 1, CLOSING: 2, CLOSED: 3 } as const;
export type ReadyState = (typeof ReadyState)[keyof typeof ReadyState];

export interface ConnectionLimits {
  /** Messages a second, measured over any time, twice as many in a burst. */
  readonly messagesPerSecondMax: number;
  readonly frameBytesMax: number;
}

export interface ConnectionOptions<UserData> {
  readonly socket: UwsSocket<UserData>;
  readonly clock: Clock;
  readonly limits: ConnectionLimits;
  readonly metrics: TransportMetrics;
  readonly log: Logger;
  /** Whose it is, for the log: a logger of its own would be half a kilobyte of each player's memory. */
  readonly about: { readonly roomId: string; readonly sessionId: string };
}

export class Connection<UserData = unknown> extends Listeners {
  /** Colyseus keeps its listener here, to remove it later. */
  onleave: unknown;
  /** Of all messages so far. */
  bytesSent = 0;
  /** When the last message came, or the connection began. */
  heardAtMs: number;

  readonly #clock: Clock;
  readonly #limits: ConnectionLimits;
  readonly #metrics: TransportMetrics;
  readonly #log: Logger;
  readonly #about: ConnectionOptions<UserData>["about"];
  readonly #bucket: TokenBucket;
  #socket: UwsSocket<UserData> | undefined;
  #readyState: ReadyState = ReadyState.OPEN;
  /** Sent once everything before it has left. */
  #goodbye: { readonly code: number; readonly reason: string } | undefined;
  #cancelLinger: Cancel | undefined;

  constructor(options: ConnectionOptions<UserData>) {
    super();
    this.#socket = options.socket;
    this.#clock = options.clock;
    this.#limits = options.limits;
    this.#metrics = options.metrics;
    this.#log = options.log;
    this.#about = options.about;
    this.heardAtMs = options.clock.monotonicMs();
    this.#bucket = new TokenBucket(options.limits.messagesPerSecondMax, this.heardAtMs);
  }

  /** What waits to be sent. */
  get waitingBytes(): number {
    return this.#socket?.getBufferedAmount() ?? 0;
  }

  get readyState(): ReadyState {
    return this.#readyState;
  }

  /** Sends, or ends the connection for a resync when that message would be lost. */
  send(data: Uint8Array): void {
    if (this.#readyState !== ReadyState.OPEN || !this.#socket) return;
    if (this.#socket.send(data, true, false) === SEND_DROPPED) {
      this.refuse("resync");
      return;
    }
    this.bytesSent += data.byteLength;
    this.#metrics.bytesSent += data.byteLength;
  }

  /** Ends the connection for a failure of the catalogue: its close code, and its kind as reason. */
  refuse(kind: ErrorKind): void {
    if (this.#readyState !== ReadyState.OPEN) return;
    this.#metrics.closes.inc({ kind });
    this.close(describeKind(kind).closeCode, kind);
  }

  /** Ends the connection once what was sent has left. Again, or after the end, does nothing. */
  close(code: number = NORMAL_CLOSURE, reason = ""): void {
    const socket = this.#socket;
    if (this.#readyState !== ReadyState.OPEN || !socket) return;
    this.#readyState = ReadyState.CLOSING;
    this.#goodbye = { code, reason: reason.slice(0, REASON_LENGTH_MAX) };
    queueMicrotask(() => this.#emitClose(code));
    if (socket.getBufferedAmount() === 0) this.#sayGoodbye();
    else this.#cancelLinger = this.#clock.after(LINGER_MS, () => this.#socket?.close());
  }

  /** From the transport: a message came. It is valid only until this returns. */
  received(data: ArrayBuffer, isBinary: boolean): void {
    if (this.#readyState !== ReadyState.OPEN) return;
    this.#metrics.messagesReceived += 1;
    this.#metrics.bytesReceived += data.byteLength;
    this.heardAtMs = this.#clock.monotonicMs();
    const wrong = this.#wrongWith(data, isBinary);
    if (wrong) {
      this.refuse(wrong);
      return;
    }
    if (data.byteLength === 0) return;
    const frame = frameOf(data);
    if (frame) this.#deliver(frame);
    else this.refuse("invalid_message");
  }

  /**
   * In the client's stead: the room sends the state now. The client's own acknowledgement, if one
   * follows, changes nothing.
   */
  acknowledge(): void {
    if (this.#readyState === ReadyState.OPEN) this.#deliver(ACKNOWLEDGEMENT);
  }

  /** From the transport: some of what waited has left. */
  drained(): void {
    if (this.#goodbye && this.#socket?.getBufferedAmount() === 0) this.#sayGoodbye();
  }

  /** From the transport: the socket is gone and must not be touched any more. */
  closed(code: number): void {
    const wasOpen = this.#readyState === ReadyState.OPEN;
    this.#readyState = ReadyState.CLOSED;
    this.#socket = undefined;
    this.#goodbye = undefined;
    this.#cancelLinger?.();
    if (wasOpen) this.#emitClose(code);
  }

  #deliver(frame: Buffer): void {
    try {
      this.emit("message", frame, this.#own);
    } catch (err) {
      // Game code's own failures are caught in the room; what arrives here is a frame that Colyseus
      // could not decode.
      this.#log.debug({ err, ...this.#about }, "a frame could not be decoded");
      this.refuse("invalid_message");
    }
  }

  /** Judged by size and rate alone, before anything is parsed. */
  #wrongWith(data: ArrayBuffer, isBinary: boolean): ErrorKind | undefined {
    if (!this.#bucket.take(this.heardAtMs)) return "too_many_messages";
    if (data.byteLength > this.#limits.frameBytesMax) return "payload_too_large";
    return isBinary ? undefined : "invalid_message";
  }

  #sayGoodbye(): void {
    const goodbye = this.#goodbye;
    this.#goodbye = undefined;
    if (goodbye) this.#socket?.end(goodbye.code, goodbye.reason);
  }

  #emitClose(code: number): void {
    try {
      this.emit("close", code, this.#own);
    } catch (err) {
      this.#log.error(
        { err, ...this.#about, runbook: "region-game-code" },
        "a room failed at a connection's close",
      );
    }
  }

  /** Colyseus drops the promises of its listeners; their failures are logged here. */
  readonly #own = (promise: PromiseLike<unknown>): void => {
    promise.then(undefined, (err: unknown) => {
      this.#log.error(
        { err, ...this.#about, runbook: "region-game-code" },
        "a room failed while handling a connection",
      );
    });
  };
}
