/**
 * The standby's end of one replica stream: an upgraded connection on which another node sends its rooms' frames.
 *
 * A sender speaks for its own region only: the node that it names must be one of the region in its certificate.
 * What it hands on of other nodes' rooms is marked as such. What is no message, or no frame, ends the stream:
 * nothing after it could be trusted to be whole.
 */
import type { Duplex } from "node:stream";
import type { Cancel, Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import { type RegionId, regionOfNode } from "../../shared/ids.ts";
import type { CopyName, NodeAddress } from "../../shared/protocol/failover.ts";
import { RoomStateError } from "../rooms/room-error.ts";
import type { CopyKey, CopyStore, Feeder } from "./copy-store.ts";
import {
  bareMessage,
  frameIn,
  HELLO_BYTES_MAX,
  Hello,
  jsonIn,
  MESSAGE_BYTES_MAX,
  type Message,
  MessageReader,
  numberIn,
  numberMessage,
  OpenRoom,
  wrong,
} from "./wire.ts";

/** A sender marks its stream several times a second: silent for so long it is taken to be gone. */
const SILENT_MS = 3_000;
/** From the upgrade to its hello: no longer than its sender waits for the welcome. */
export const HELLO_DEADLINE_MS = 1_000;
/** Bytes of answers that may wait: they are a few a second. */
const ANSWERS_BYTES_MAX = 1024 * 1024;

export interface InboundStreamOptions {
  /** Of the sender's certificate. */
  readonly regionId: RegionId;
  readonly socket: Duplex;
  readonly store: CopyStore;
  /** A room's owner has given it up, and what is here now is all of it. */
  readonly onGiven: (room: CopyName) => void;
  /** Once: it said goodbye, broke, or sent what is wrong. */
  readonly onClosed: (end: StreamEnd) => void;
  readonly clock: Clock;
}

export interface StreamEnd {
  /** Who sent it; undefined when it never said. */
  readonly from: NodeAddress | undefined;
  readonly why: "goodbye" | "broken" | "silent" | "wrong" | "refused";
  readonly error?: unknown;
}

export class InboundStream implements Feeder {
  readonly #options: InboundStreamOptions;
  readonly #reader = new MessageReader(HELLO_BYTES_MAX);
  readonly #rooms = new Map<number, CopyKey>();
  #from: NodeAddress | undefined;
  #goodbye = false;
  #closed = false;
  #heardMs: number;
  readonly #cancel: Cancel;
  readonly #cancelHello: Cancel;

  constructor(options: InboundStreamOptions) {
    const { socket, clock } = options;
    this.#options = options;
    this.#heardMs = clock.monotonicMs();
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("error", (error) => this.#close({ why: "broken", error }));
    socket.on("close", () => this.#close({ why: this.#goodbye ? "goodbye" : "broken" }));
    socket.on("end", () => socket.end());
    this.#cancel = clock.every(SILENT_MS / 2, () => this.#watch());
    this.#cancelHello = clock.after(HELLO_DEADLINE_MS, () => this.#expectHello());
  }

  close(): void {
    this.#close({ why: "goodbye" });
  }

  /** A process that stood still finds this due before what waits in its sockets: so it looks twice. */
  #watch(): void {
    const heardMs = this.#heardMs;
    if (this.#options.clock.monotonicMs() - heardMs < SILENT_MS) return;
    setImmediate(() => {
      if (this.#heardMs === heardMs) this.#close({ why: "silent" });
    });
  }

  /** As `#watch`: the hello may wait in its socket. */
  #expectHello(): void {
    setImmediate(() => {
      if (!this.#from) this.#close({ why: "silent" });
    });
  }

  #read(chunk: Buffer): void {
    if (this.#closed) return;
    this.#heardMs = this.#options.clock.monotonicMs();
    try {
      for (const message of this.#reader.push(chunk)) {
        this.#take(message);
        if (this.#closed) return;
      }
    } catch (error) {
      if (!(error instanceof MeridianError || error instanceof RoomStateError)) throw error;
      const refused = error instanceof MeridianError && error.kind === "forbidden";
      this.#close({ why: refused ? "refused" : "wrong", error });
    }
  }

  #take(message: Message): void {
    if (!this.#from) {
      this.#greet(message);
      return;
    }
    const { type } = message;
    if (type === "frame" || type === "last") this.#frame(message);
    else if (type === "mark") this.#answer("ack", numberIn(message));
    else if (type === "open") this.#open(message);
    else if (type === "ended") this.#ended(numberIn(message));
    else if (type === "bye") this.#goodbye = true;
    else throw wrong(`"${type}" is not for a standby`);
  }

  #ended(number: number): void {
    const key = this.#rooms.get(number);
    this.#rooms.delete(number);
    if (key) this.#options.store.ended(key, this);
  }

  #greet(message: Message): void {
    if (message.type !== "hello") throw wrong("it begins without a hello");
    const { nodeId, regionId, linkAddress } = jsonIn(message, Hello);
    const own = this.#options.regionId;
    if (regionId !== own || regionOfNode(nodeId) !== own) {
      throw new MeridianError("forbidden", { message: `${own} is not the region of ${nodeId}.` });
    }
    this.#from = { nodeId, linkAddress };
    this.#cancelHello();
    this.#reader.allow(MESSAGE_BYTES_MAX);
    this.#options.socket.write(bareMessage("welcome"));
  }

  #open(message: Message): void {
    const { store, regionId } = this.#options;
    const { number, roomId, game, roomEpoch, ofNode: other } = jsonIn(message, OpenRoom);
    const from = this.#from?.nodeId;
    if (!from) return;
    if (this.#rooms.has(number)) throw wrong(`number ${number} is open already`);
    const ofNode = other ?? from;
    const key = { roomId, ofNode, passedBy: ofNode === from ? undefined : regionId };
    this.#supersede(key);
    const place = this.#rooms.size < store.roomsPerRegionMax;
    if (place && store.open({ ...key, game, roomEpoch }, this)) this.#rooms.set(number, key);
    else this.#answer("refused", number);
  }

  /** An owner that comes back to this standby opens the room anew: what its former number says no longer counts. */
  #supersede({ roomId, ofNode }: CopyKey): void {
    for (const [number, key] of this.#rooms) {
      if (key.roomId === roomId && key.ofNode === ofNode) this.#rooms.delete(number);
    }
  }

  #frame(message: Message): void {
    const { store, onGiven, clock } = this.#options;
    const { number, players, bytes } = frameIn(message);
    const key = this.#rooms.get(number);
    // Refused a moment ago.
    if (!key) return;
    const taken = store.frame(key, this, bytes, players);
    if (taken === "refused") {
      this.#rooms.delete(number);
      this.#answer("refused", number);
      return;
    }
    if (taken === "again") this.#answer("again", number);
    if (message.type !== "last") return;
    const given = store.last(key, this, clock.monotonicMs());
    if (given) onGiven(given);
  }

  #answer(type: "ack" | "again" | "refused", number: number): void {
    const { socket } = this.#options;
    if (socket.writableLength > ANSWERS_BYTES_MAX) throw wrong("its answers are not read");
    socket.write(numberMessage(type, number));
  }

  #close(end: Omit<StreamEnd, "from">): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancel();
    this.#cancelHello();
    const { socket, store, clock, onClosed } = this.#options;
    socket.destroy();
    const nowMs = clock.monotonicMs();
    for (const key of this.#rooms.values()) store.orphan(key, this, nowMs);
    onClosed({ ...end, from: this.#from });
  }
}
