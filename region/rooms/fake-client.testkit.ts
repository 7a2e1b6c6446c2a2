/** A player's connection without a network: what Colyseus' rooms need of a transport's client. */
import { EventEmitter } from "node:events";
import {
  type Client,
  type ClientPrivate,
  ClientState,
  enqueueClientRaw,
  getMessageBytes,
  type ISendOptions,
  Protocol,
  type Room,
} from "@colyseus/core";
import { MeridianError } from "../../shared/errors.ts";
import type { RoomAuth } from "./player.ts";

interface JoinsRooms {
  _reserveSeat(sessionId: string, options: unknown, auth: unknown): Promise<boolean>;
  _onJoin(client: Client, context: unknown, options: unknown): Promise<void>;
}

export class FakeClient {
  readonly ref = new EventEmitter();
  readonly sessionId: string;
  /** Frames sent to it, in order. */
  readonly received: Uint8Array[] = [];
  readyState: number = WebSocket.OPEN;
  state: ClientState = ClientState.JOINING;
  reconnectionToken = "";
  _enqueuedMessages: unknown[] | undefined = [];
  closedWith: number | undefined;

  constructor(sessionId: string) {
    this.sessionId = sessionId;
  }

  /** Takes a seat under the session id, joins, and acknowledges the join as clients do. */
  static async join(
    room: Room,
    sessionId: string,
    auth: RoomAuth,
    options: object = { team: "red" },
  ): Promise<FakeClient> {
    const client = new FakeClient(sessionId);
    const seated = await (room as unknown as JoinsRooms)._reserveSeat(sessionId, options, auth);
    if (!seated) throw new MeridianError("room_full");
    await client.#enter(room, {});
    return client;
  }

  /** Comes back to the same room within its grace, on a new connection. */
  static async reconnect(room: Room, former: FakeClient): Promise<FakeClient> {
    const client = new FakeClient(former.sessionId);
    const { reconnectionToken } = former;
    await client.#enter(room, { reconnectionToken, skipHandshake: true });
    return client;
  }

  raw(bytes: Uint8Array): void {
    this.received.push(Uint8Array.from(bytes));
  }

  enqueueRaw(bytes: Uint8Array, options?: ISendOptions): void {
    enqueueClientRaw(this as unknown as Client & ClientPrivate, bytes, options);
  }

  error(code: number, message = ""): void {
    this.raw(getMessageBytes[Protocol.ERROR](code, message));
  }

  leave(code = 1000): void {
    this.closedWith = code;
    this.drop(code);
  }

  /** The connection ends with that code, as seen by the room. */
  drop(code: number): void {
    this.readyState = WebSocket.CLOSED;
    this.ref.emit("close", code);
  }

  /** The room sends the client a message. */
  send(type: string, payload: unknown): void {
    this.enqueueRaw(getMessageBytes.raw(Protocol.ROOM_DATA, type, payload));
  }

  /** The client sends the room a message. */
  say(type: string, payload: unknown): void {
    this.ref.emit("message", getMessageBytes.raw(Protocol.ROOM_DATA, type, payload));
  }

  framesOf(protocol: number): Uint8Array[] {
    return this.received.filter((frame) => frame[0] === protocol);
  }

  async #enter(room: Room, options: unknown): Promise<void> {
    const self = this as unknown as Client;
    await (room as unknown as JoinsRooms)._onJoin(self, { headers: new Headers() }, options);
    this.ref.emit("message", Buffer.from([Protocol.JOIN_ROOM]));
  }
}
