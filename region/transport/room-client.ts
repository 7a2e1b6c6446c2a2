/**
 * A player's connection as a room's code sees it: Colyseus' `Client`.
 *
 * Its reconnection token is the one in the player's ticket, minted by the core, for the session's
 * whole life. Colyseus assigns a random one at each join; that assignment is ignored.
 *
 * What waits for the join to be acknowledged is no field, because Colyseus deletes it then, and V8 makes
 * an object that lost a field a slow one for good: each access in each message and patch a look-up by
 * hash.
 */
import type { EventEmitter } from "node:events";
import {
  type Client,
  type ClientPrivate,
  ClientState,
  enqueueClientRaw,
  getMessageBytes,
  type ISendOptions,
  Protocol,
} from "@colyseus/core";
import { type Connection, ReadyState } from "./connection.ts";

/** What a small message that waits costs besides its bytes, about. */
const MESSAGE_OVERHEAD_BYTES = 128;

export interface RoomClientOptions {
  readonly sessionId: string;
  readonly reconnectionToken: string;
  readonly connection: Connection;
  /** Whether it comes back to a session that was in the room already. */
  readonly resumed: boolean;
  /** What may wait for the client to acknowledge its join; one more message ends the connection. */
  readonly waitingBytesMax: number;
}

export class RoomClient implements Client, ClientPrivate {
  /** For types only: any message may be sent. */
  declare readonly "~messages": Record<string | number, unknown>;
  readonly sessionId: string;
  readonly resumed: boolean;
  state: ClientState = ClientState.JOINING;
  _joinedAt = 0;

  readonly #reconnectionToken: string;
  readonly #waitingBytesMax: number;
  /** Held back until the client has acknowledged the join; undefined from then on. */
  #waiting: unknown[] | undefined = [];
  #waitingBytes = 0;
  #connection: Connection;

  constructor(options: RoomClientOptions) {
    this.sessionId = options.sessionId;
    this.resumed = options.resumed;
    this.#reconnectionToken = options.reconnectionToken;
    this.#waitingBytesMax = options.waitingBytesMax;
    this.#connection = options.connection;
  }

  /** Where Colyseus puts what waits; it sends all of it as soon as the state is `JOINED`. */
  get _enqueuedMessages(): unknown[] {
    if (this.state === ClientState.JOINED) queueMicrotask(() => this.forgetWaiting());
    // Undefined later on, which the interface means by an optional field.
    return this.#waiting as unknown[];
  }

  /** Nothing waits any more: the join was acknowledged, or what waited is of no use. */
  forgetWaiting(): void {
    this.#waiting = undefined;
  }

  get ref(): EventEmitter {
    // Colyseus uses five methods of an emitter, all of which a connection has.
    return this.#connection as unknown as EventEmitter;
  }

  /** After a reconnect Colyseus points the former client at the new connection. */
  set ref(ref: EventEmitter) {
    this.#connection = ref as unknown as Connection;
  }

  get readyState(): number {
    return this.#connection.readyState;
  }

  /** When anything came from the client last. */
  get heardAtMs(): number {
    return this.#connection.heardAtMs;
  }

  get reconnectionToken(): string {
    return this.#reconnectionToken;
  }

  set reconnectionToken(_generated: string) {
    // Ignored: see above.
  }

  /** @param type a string or a number; Colyseus' declaration of any key adds the symbols */
  send(type: PropertyKey, message?: unknown, options?: ISendOptions): void {
    const name = type as string | number;
    this.enqueueRaw(getMessageBytes.raw(Protocol.ROOM_DATA, name, message), options);
  }

  sendBytes(type: string | number, bytes: Uint8Array, options?: ISendOptions): void {
    const frame = getMessageBytes.raw(Protocol.ROOM_DATA_BYTES, type, undefined, bytes);
    this.enqueueRaw(frame, options);
  }

  /** Sends, or keeps for later while the join is not acknowledged: a client may never do that. */
  enqueueRaw(data: Uint8Array, options?: ISendOptions): void {
    if (this.#waiting && !this.#mayWait(data)) return;
    enqueueClientRaw(this, data, options);
  }

  raw(data: Uint8Array): void {
    this.#connection.send(data);
  }

  error(code: number, message = ""): void {
    this.raw(getMessageBytes[Protocol.ERROR](code, message));
  }

  leave(code?: number, reason?: string): void {
    this.#connection.close(code, reason);
  }

  /** Colyseus' deprecated name of `leave`; plain rooms may still call it. */
  close(code?: number, reason?: string): void {
    this.leave(code, reason);
  }

  /** Ends the connection when too much waits; a message to one that has ended is dropped. */
  #mayWait(data: Uint8Array): boolean {
    if (this.readyState !== ReadyState.OPEN) return false;
    if (this.#waitingBytes > this.#waitingBytesMax) {
      this.#connection.refuse("resync");
      this.#waiting = [];
      return false;
    }
    this.#waitingBytes += data.byteLength + MESSAGE_OVERHEAD_BYTES;
    return true;
  }

  toJSON(): { sessionId: string; readyState: number } {
    return { sessionId: this.sessionId, readyState: this.readyState };
  }
}
