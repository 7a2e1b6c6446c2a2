/**
 * One session in one room: the stock Colyseus client's room, whose decoded state and listeners stay
 * while connections under it come and go. The stock one tears them down at every end; which end is
 * final is for `connection-step.ts` to say, so its handling of closes is not used.
 */
import type { Decoder } from "@colyseus/schema";
import { Protocol, Room, SchemaSerializer } from "@colyseus/sdk";
import { Connection } from "@colyseus/sdk/Connection";
import type { SeatReservation } from "../protocol/join.ts";

/** What a browser says of a connection that could not be opened. */
const ABNORMAL_CLOSURE = 1006;

export interface RoomListener<State> {
  /** The first state after a connection's opening is there: one can play. */
  opened(): void;
  /** Anything at all came in. */
  heard(): void;
  changed(state: State): void;
  message(type: string | number, payload: unknown): void;
  closed(code: number, reason: string): void;
}

export class SessionRoom<State> extends Room<unknown, State> {
  readonly #listener: RoomListener<State>;
  #current: Connection | undefined;
  #opening = false;

  constructor(reservation: SeatReservation, listener: RoomListener<State>) {
    super(reservation.name);
    this.roomId = reservation.roomId;
    this.sessionId = reservation.sessionId;
    this.#listener = listener;
    this.onStateChange((state) => {
      this.#ready();
      listener.changed(state);
    });
    this.onMessage<unknown>("*", (type, payload) => listener.message(type, payload));
  }

  /** Connects with a new seat; the first time as a newcomer, then as the one who was there. */
  open(reservation: SeatReservation, scheme: "ws:" | "wss:"): void {
    this.retire();
    // Without this the stock room would take it for a reconnect of its own, and say so on the console.
    this.joinedAtTime = 0;
    this.#opening = true;
    const connection = new Connection();
    const { events } = connection;
    const mine = () => this.#current === connection;
    let opened = false;
    events.onopen = () => {
      opened = true;
    };
    events.onmessage = (event: MessageEvent) => {
      if (!mine()) return;
      this.#listener.heard();
      this.onMessageCallback(event);
      if (this.joinedAtTime > 0 && this.serializerId === "none") this.#ready();
    };
    events.onclose = ({ code, reason }: CloseEvent) => {
      if (mine()) this.#listener.closed(code, reason ?? "");
    };
    // Node's websocket has no close event after a failed opening. Where one follows, it is not ours
    // any more by then.
    events.onerror = () => {
      if (mine() && !opened) this.#listener.closed(ABNORMAL_CLOSURE, "");
    };
    this.connection = connection;
    this.#current = connection;
    connection.connect(this.#urlOf(reservation, scheme));
  }

  /** Undefined before the first state, and in a room that has none. */
  get decoder(): Decoder | undefined {
    return this.serializer instanceof SchemaSerializer ? this.serializer.decoder : undefined;
  }

  /** Drops the connection; nothing more is heard of it. */
  retire(): void {
    const connection = this.#current;
    this.#current = undefined;
    connection?.close();
  }

  /** Tells the room that the player leaves; it closes the connection then. */
  sayLeave(): void {
    if (this.#current?.isOpen) this.#current.send(Uint8Array.of(Protocol.LEAVE_ROOM));
  }

  #urlOf({ publicAddress, processId }: SeatReservation, scheme: string): string {
    const query = new URLSearchParams({ sessionId: this.sessionId });
    // Whatever may come is listened to already, so the room need not be told so first.
    query.set("acknowledged", "1");
    const token = this.reconnectionToken?.split(":")[1];
    if (token) query.set("reconnectionToken", token);
    // A client that has the state already knows its schema.
    if (this.serializer?.getState()) query.set("skipHandshake", "1");
    return `${scheme}//${publicAddress}/${processId}/${this.roomId}?${query}`;
  }

  #ready(): void {
    if (!this.#opening) return;
    this.#opening = false;
    this.#listener.opened();
  }
}
