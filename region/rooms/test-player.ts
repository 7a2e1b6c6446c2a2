/** A player in a test room: sends, drops, comes back, leaves, and keeps what the room sent. */
import { CloseCode, Protocol } from "@colyseus/core";
import { decode } from "@colyseus/schema";
import { unpack } from "msgpackr";
import { MeridianError } from "../../shared/errors.ts";
import { authOf, turn } from "./colyseus.testkit.ts";
import { FakeClient } from "./fake-client.testkit.ts";
import type { GameRoom } from "./game-room.ts";
import type { RoomAuth } from "./player.ts";

export interface TestPlayerOptions {
  readonly name: string;
  readonly number: number;
  /** Whose new session it is. */
  readonly former?: TestPlayer;
  /** What they join with. */
  readonly options: object;
  readonly room: () => GameRoom;
  /** Throws what game code threw. */
  readonly settle: () => void;
  readonly left: (player: TestPlayer) => void;
}

/** A message of the room to the player. */
export interface TestMessage {
  readonly type: string | number;
  readonly payload: unknown;
}

export class TestPlayer {
  readonly name: string;
  readonly sessionId: string;
  readonly #options: TestPlayerOptions;
  readonly #auth: RoomAuth;
  #client: FakeClient;
  #connected = false;
  /** Frames of connections before this one. */
  #earlier: Uint8Array[] = [];

  constructor(options: TestPlayerOptions) {
    this.#options = options;
    this.name = options.name;
    this.sessionId = `session-${options.number}`;
    this.#auth = options.former?.nextAuth ?? authOf(options.name, options.number);
    this.#client = new FakeClient(this.sessionId);
  }

  get connected(): boolean {
    return this.#connected;
  }

  /** What the room sent, oldest first, over all connections. */
  get messages(): TestMessage[] {
    return this.#framesOf(Protocol.ROOM_DATA).map((frame) => {
      const at = { offset: 1 };
      const type = decode.stringCheck(frame, at)
        ? decode.string(frame, at)
        : decode.number(frame, at);
      const rest = frame.subarray(at.offset);
      return { type, payload: rest.length > 0 ? unpack(rest) : undefined };
    });
  }

  /** What was wrong with messages of this player, as their client is told. */
  get errors(): string[] {
    return this.#framesOf(Protocol.ERROR).map((frame) => {
      const at = { offset: 1 };
      decode.number(frame, at);
      return decode.string(frame, at);
    });
  }

  /** Who it is, in the world. */
  get id(): RoomAuth["playerId"] {
    return this.#auth.playerId;
  }

  /** @internal of the same player's next session */
  get nextAuth(): RoomAuth {
    const [coreTerm, session] = this.#auth.sessionEpoch;
    return { ...this.#auth, sessionEpoch: [coreTerm, session + 1] };
  }

  /** @internal */
  async join(): Promise<void> {
    const { room, options } = this.#options;
    this.#client = await FakeClient.join(room(), this.sessionId, this.#auth, options);
    this.#connected = true;
  }

  /** @internal the room was restored elsewhere; who had dropped stays away */
  async follow(): Promise<void> {
    if (!this.#connected) return;
    this.#earlier = this.#frames;
    await this.join();
  }

  send(type: string, payload?: unknown): void {
    this.#client.say(type, payload);
    this.#options.settle();
  }

  /** The connection is lost, as by a network's failure. */
  async drop(): Promise<void> {
    this.#connected = false;
    this.#client.drop(CloseCode.ABNORMAL_CLOSURE);
    await this.#settle();
  }

  /** Comes back within the grace, to the same place. @throws when the room did not keep it */
  async reconnect(): Promise<void> {
    const earlier = this.#frames;
    const room = this.#options.room();
    // A restored room waits for the session without having seen its connection.
    if (room.expects(this.sessionId)) await this.join();
    else if (room.hasReservedSeat(this.sessionId, this.#client.reconnectionToken)) {
      this.#client = await FakeClient.reconnect(room, this.#client);
    } else throw new MeridianError("reconnect_expired");
    this.#earlier = earlier;
    this.#connected = true;
    await this.#settle();
  }

  /** Leaves for good. */
  async leave(): Promise<void> {
    this.#connected = false;
    this.#client.drop(CloseCode.CONSENTED);
    this.#options.left(this);
    await this.#settle();
  }

  get #frames(): Uint8Array[] {
    return [...this.#earlier, ...this.#client.received];
  }

  #framesOf(protocol: number): Uint8Array[] {
    return this.#frames.filter((frame) => frame[0] === protocol);
  }

  async #settle(): Promise<void> {
    await turn();
    this.#options.settle();
  }
}
