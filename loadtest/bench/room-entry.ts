/**
 * The end of every join, on any Colyseus server: the room answers the websocket with the join, the
 * client acknowledges it, the room sends the whole state. A client of ours acknowledges beforehand.
 */
import { Protocol } from "@colyseus/core";
import { type LeanAddress, type LeanEvents, LeanSocket, messageFrame } from "./lean-socket.ts";

/** The low five bits of a message's first byte are Colyseus' protocol code. */
const CODE_MASK = 0x1f;
const acknowledgement = messageFrame(Uint8Array.of(Protocol.JOIN_ROOM));
const leave = messageFrame(Uint8Array.of(Protocol.LEAVE_ROOM));

/** Shared by many entries. */
export interface EntryEvents {
  /** The whole state is there. */
  entered(socket: LeanSocket): void;
  closed(socket: LeanSocket, reason: string): void;
}

/** Sockets that go through a room's door, and stay for as long as they are let. */
export class RoomEntry implements LeanEvents {
  readonly #events: EntryEvents;
  readonly #acknowledges: boolean;

  /** @param acknowledges whether the server waits for that before it sends the state */
  constructor(events: EntryEvents, { acknowledges }: { readonly acknowledges: boolean }) {
    this.#events = events;
    this.#acknowledges = acknowledges;
  }

  open(address: LeanAddress): LeanSocket {
    return new LeanSocket(address, this);
  }

  message(socket: LeanSocket, payload: Buffer): void {
    const code = (payload[0] ?? 0) & CODE_MASK;
    if (code === Protocol.JOIN_ROOM && this.#acknowledges) socket.send(acknowledgement);
    else if (code === Protocol.ROOM_STATE) this.#events.entered(socket);
    else if (code === Protocol.ERROR) this.#events.closed(socket, payload.toString("latin1", 1));
  }

  closed(socket: LeanSocket, reason: string): void {
    this.#events.closed(socket, reason);
  }
}

/** Tells the room that the player leaves; it closes the connection then. */
export function sayLeave(socket: LeanSocket): void {
  socket.send(leave);
}
