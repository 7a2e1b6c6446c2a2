/**
 * The owner's end of one replica stream: all frames that go to one standby, on one connection.
 *
 * A room never waits for it. Frames are gathered for `GATHER_MS` and written at once, because system calls cost
 * more than bytes. What the standby does not take in time piles up to a limit; a frame beyond it is dropped, and its
 * room begins again with a full frame once there is place.
 *
 * A mark goes along several times a second, and its answer tells how far the standby has everything: from that come
 * `whole`, the lag, and the word that a standby which answers nothing is gone.
 */
import type { Duplex } from "node:stream";
import type { Cancel, Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { LinkIdentity } from "../../shared/link/identity.ts";
import type { NodeAddress } from "../../shared/protocol/failover.ts";
import { requestStream } from "./stream-connect.ts";
import {
  bareMessage,
  frameHead,
  type Hello,
  jsonMessage,
  type Message,
  MessageReader,
  numberIn,
  numberMessage,
  type OpenRoom,
} from "./wire.ts";

/** From the first step to the standby's welcome. */
export const CONNECT_DEADLINE_MS = 1_000;
/** A sixth of what players may lose at most; with 20 ms all of it cost 1.18 times the rooms alone, now 1.10. */
const GATHER_MS = 40;
const MARK_EVERY_MS = 250;
/** A standby that has not answered a mark for so long is left. */
const SILENT_MS = 1_250;
/** Of an answer of the standby. */
const ANSWER_BYTES_MAX = 64;
/** Rooms that begin again with a full frame at a time, after there was no place. */
const RESUMED_AT_A_TIME = 8;

/** What a room's copying is told by its stream. */
export interface LineEvents {
  /** Send frames, a full one first. */
  begin(): void;
  /** There is no place: send none until `begin`. */
  pause(): void;
  /** The standby has no place for the room. */
  refused(): void;
}

/** One room on a stream. */
export interface Line {
  readonly number: number;
  readonly events: LineEvents;
  /** The mark that follows its full frame; undefined before one was sent. */
  wholeAtMark: number | undefined;
  paused: boolean;
}

/** What the standby is to have in the end. */
export interface LastFrame {
  readonly bytes: Uint8Array;
  readonly players: number;
  readonly withinMs: number;
}

/** For an answer to a mark. */
interface Waiter {
  readonly mark: number;
  readonly done: (acked: boolean) => void;
}

export interface OutboundStreamOptions {
  readonly to: NodeAddress;
  readonly hello: Hello;
  readonly identity: LinkIdentity;
  /** Most bytes that wait to be sent. */
  readonly backlogBytesMax: number;
  /** Once. Its rooms need another stream. */
  readonly onBroken: (stream: OutboundStream, error: unknown) => void;
  readonly onSent: (bytes: number) => void;
  readonly onDropped: () => void;
  readonly clock: Clock;
}

export class OutboundStream {
  readonly #options: OutboundStreamOptions;
  readonly #lines = new Map<number, Line>();
  readonly #paused = new Set<Line>();
  readonly #reader = new MessageReader(ANSWER_BYTES_MAX);
  #socket: Duplex | undefined;
  #abandon: Cancel = () => {};
  #closed = false;
  #numbers = 0;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #gathering: Cancel | undefined;
  #marking: Cancel = () => {};
  #marks = 0;
  #acked = 0;
  /** When each unanswered mark was sent. */
  readonly #unanswered = new Map<number, number>();
  #ackedSentMs: number;
  #markedMs: number;
  readonly #waiters = new Set<Waiter>();
  /** Of rooms that are given once. */
  readonly #settling = new Set<(given: boolean) => void>();

  constructor(options: OutboundStreamOptions) {
    this.#options = options;
    this.#ackedSentMs = options.clock.monotonicMs();
    this.#markedMs = this.#ackedSentMs;
    this.#connect();
  }

  get to(): NodeAddress {
    return this.#options.to;
  }

  /** Whether the standby has said that it takes frames. */
  get open(): boolean {
    return this.#socket !== undefined && !this.#closed;
  }

  /** Whether it ever was. */
  get welcomed(): boolean {
    return this.#socket !== undefined;
  }

  get rooms(): number {
    return this.#lines.size;
  }

  get backlogBytes(): number {
    return this.#waitingBytes + (this.#socket?.writableLength ?? 0);
  }

  /** How far the standby's copies are behind. */
  get lagMs(): number {
    return this.#options.clock.monotonicMs() - this.#ackedSentMs;
  }

  /** Whether the standby has said that it has all of the room up to a moment ago. */
  isWhole({ wholeAtMark, paused }: Line): boolean {
    return !paused && wholeAtMark !== undefined && wholeAtMark <= this.#acked;
  }

  /** The room's frames are asked for by `events.begin`, later or at once. */
  add(room: Omit<OpenRoom, "number">, events: LineEvents): Line {
    const number = this.#numbers++;
    const line: Line = { number, events, wholeAtMark: undefined, paused: false };
    this.#lines.set(number, line);
    this.#queue(jsonMessage("open", { ...room, number }));
    if (this.open) events.begin();
    return line;
  }

  /** @returns false when it was dropped: `begin` will ask for a full one */
  frame(line: Line, bytes: Uint8Array, players: number): boolean {
    if (this.#closed || !this.#lines.has(line.number)) return false;
    if (this.backlogBytes > this.#options.backlogBytesMax) {
      this.#options.onDropped();
      line.paused = true;
      line.wholeAtMark = undefined;
      this.#paused.add(line);
      line.events.pause();
      return false;
    }
    this.#queueFrame("frame", line, bytes, players);
    line.wholeAtMark ??= this.#marks + 1;
    return true;
  }

  /**
   * The room runs here no more, and this is all of it.
   * @returns whether the standby said in time that it has it
   */
  async last(line: Line, frame: LastFrame): Promise<boolean> {
    if (!this.open || !this.#lines.has(line.number)) return false;
    this.#queueFrame("last", line, frame.bytes, frame.players);
    const mark = this.#mark();
    this.#flush();
    const acked = await this.#answered(mark, frame.withinMs);
    // Refused, it would be gone.
    const kept = acked && this.#lines.has(line.number);
    this.forget(line);
    return kept;
  }

  /** One room, whole, of which no more follows; the stream may be opening still. As `last`. */
  giveOnce(room: Omit<OpenRoom, "number">, frame: LastFrame): Promise<boolean> {
    return new Promise((resolve) => {
      const late = this.#options.clock.after(frame.withinMs, () => settle(false));
      const settle = (given: boolean) => {
        late();
        this.#settling.delete(settle);
        resolve(given);
      };
      this.#settling.add(settle);
      // Asked at once where the stream is open, before there is a line to give it on.
      const begin = () => queueMicrotask(() => void this.last(line, frame).then(settle));
      const line = this.add(room, { begin, pause() {}, refused: () => settle(false) });
    });
  }

  /** The room ended: the standby may forget it. */
  ended(line: Line): void {
    this.forget(line);
    if (!this.#closed) this.#queue(numberMessage("ended", line.number));
  }

  /** No more frames of the room go here; what the standby has of it stays until `ended`. */
  forget(line: Line): void {
    this.#paused.delete(line);
    this.#lines.delete(line.number);
  }

  /** Sends what there is, says goodbye and closes. Nobody is told. */
  close(): void {
    if (this.#closed) return;
    this.#queue(bareMessage("bye"));
    this.#flush();
    const socket = this.#socket;
    this.#end();
    socket?.end();
    // A standby that takes nothing must not keep the connection.
    const cancel = this.#options.clock.after(CONNECT_DEADLINE_MS, () => socket?.destroy());
    socket?.once("close", cancel);
    if (!socket) this.#abandon();
  }

  #connect(): void {
    const { to, identity, clock } = this.#options;
    const late = clock.after(CONNECT_DEADLINE_MS, () => {
      this.#break(new MeridianError("timeout", { message: "the standby gives no welcome" }));
    });
    const cancelRequest = requestStream({
      to,
      identity,
      onOpen: (socket, head) => this.#opened({ socket, head, late }),
      onFailed: (error) => this.#break(error),
    });
    this.#abandon = () => {
      late();
      cancelRequest();
    };
  }

  #opened({ socket, head, late }: { socket: Duplex; head: Buffer; late: Cancel }): void {
    socket.on("data", (chunk: Buffer) => this.#read(chunk, socket, late));
    socket.on("error", (error) => this.#break(error));
    socket.on("close", () => this.#break(new MeridianError("unavailable")));
    if (this.#closed) {
      socket.destroy();
      return;
    }
    // Only once the standby has welcomed it anything else is sent.
    socket.write(jsonMessage("hello", this.#options.hello));
    this.#abandon = () => {
      late();
      socket.destroy();
    };
    if (head.length > 0) this.#read(head, socket, late);
  }

  #read(chunk: Buffer, socket: Duplex, late: Cancel): void {
    if (this.#closed) return;
    try {
      for (const message of this.#reader.push(chunk)) {
        if (message.type === "welcome" && !this.#socket) {
          late();
          this.#welcomed(socket);
        } else this.#heard(message);
      }
    } catch (error) {
      this.#break(error);
    }
  }

  #welcomed(socket: Duplex): void {
    const { clock } = this.#options;
    this.#socket = socket;
    this.#ackedSentMs = clock.monotonicMs();
    this.#markedMs = this.#ackedSentMs;
    this.#marking = clock.every(MARK_EVERY_MS, () => this.#beat());
    this.#flush();
    for (const line of [...this.#lines.values()]) line.events.begin();
  }

  #heard(message: Message): void {
    const { type } = message;
    if (type === "ack") {
      this.#ack(numberIn(message));
      return;
    }
    const line = this.#lines.get(numberIn(message));
    if (!line) return;
    line.wholeAtMark = undefined;
    if (type === "again") line.events.begin();
    else if (type === "refused") {
      this.forget(line);
      line.events.refused();
    } else throw new MeridianError("bad_request", { message: `"${type}" is not for an owner` });
  }

  #ack(mark: number): void {
    const sentMs = this.#unanswered.get(mark);
    if (sentMs === undefined) return;
    this.#acked = mark;
    this.#ackedSentMs = sentMs;
    for (const earlier of this.#unanswered.keys()) {
      if (earlier <= mark) this.#unanswered.delete(earlier);
    }
    for (const waiter of [...this.#waiters]) if (waiter.mark <= mark) waiter.done(true);
  }

  #beat(): void {
    const nowMs = this.#options.clock.monotonicMs();
    const [oldestMs] = this.#unanswered.values();
    // A process that stood still has answers in its sockets that it has not read.
    const stoodStill = nowMs - this.#markedMs > 2 * MARK_EVERY_MS;
    this.#markedMs = nowMs;
    if (oldestMs !== undefined && nowMs - oldestMs > SILENT_MS && !stoodStill) {
      this.#break(new MeridianError("timeout", { message: "the standby answers no more" }));
      return;
    }
    if (this.backlogBytes < this.#options.backlogBytesMax / 2) this.#resume();
    this.#mark();
    this.#flush();
  }

  #resume(): void {
    for (const line of [...this.#paused].slice(0, RESUMED_AT_A_TIME)) {
      this.#paused.delete(line);
      line.paused = false;
      line.events.begin();
    }
  }

  #mark(): number {
    this.#marks += 1;
    this.#unanswered.set(this.#marks, this.#options.clock.monotonicMs());
    this.#queue(numberMessage("mark", this.#marks));
    return this.#marks;
  }

  #answered(mark: number, withinMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const late = this.#options.clock.after(withinMs, () => waiter.done(false));
      const waiter: Waiter = {
        mark,
        done: (acked) => {
          late();
          this.#waiters.delete(waiter);
          resolve(acked);
        },
      };
      this.#waiters.add(waiter);
    });
  }

  #queueFrame(type: "frame" | "last", line: Line, bytes: Uint8Array, players: number): void {
    const { number } = line;
    this.#queue(frameHead(type, { number, players, bytes: bytes.length }));
    this.#waiting.push(bytes as Buffer);
    this.#waitingBytes += bytes.length;
  }

  #queue(message: Buffer): void {
    this.#waiting.push(message);
    this.#waitingBytes += message.length;
    if (!this.#socket) return;
    this.#gathering ??= this.#options.clock.after(GATHER_MS, () => this.#flush());
  }

  #flush(): void {
    this.#gathering?.();
    this.#gathering = undefined;
    if (!this.#socket || this.#waitingBytes === 0) return;
    this.#options.onSent(this.#waitingBytes);
    this.#socket.write(Buffer.concat(this.#waiting, this.#waitingBytes));
    this.#waiting = [];
    this.#waitingBytes = 0;
  }

  #break(error: unknown): void {
    if (this.#closed) return;
    this.#end();
    this.#abandon();
    this.#options.onBroken(this, error);
  }

  #end(): void {
    this.#closed = true;
    this.#marking();
    this.#gathering?.();
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#lines.clear();
    this.#paused.clear();
    for (const waiter of [...this.#waiters]) waiter.done(false);
    for (const settle of [...this.#settling]) settle(false);
  }
}
