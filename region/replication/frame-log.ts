/**
 * The frames of one room since its last full one, end to end in one buffer. They are decoded once, when somebody
 * goes on with the room: following a room frame by frame would cost a standby what it costs to run it.
 */
import { RoomStateError } from "../rooms/room-error.ts";
import { RoomReplica } from "../rooms/room-replica.ts";
import type { Slice } from "./slices.ts";

const FIRST_BYTES = 4 * 1024;
/** So many frames are decoded before other work of the process gets its turn: some 2 ms. */
const FRAMES_PER_SLICE = 32;

export class FrameLog {
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  /** Where each frame ends. */
  #ends: number[] = [];

  get frames(): number {
    return this.#ends.length;
  }

  /** What the log holds on to. */
  get heldBytes(): number {
    return this.#bytes.length;
  }

  /** Of the frames. */
  get length(): number {
    return this.#ends.at(-1) ?? 0;
  }

  add(frame: Uint8Array): void {
    const from = this.length;
    const needed = from + frame.length;
    if (needed > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, from));
      this.#bytes = grown;
    }
    this.#bytes.set(frame, from);
    this.#ends.push(needed);
  }

  /** A full frame makes all before it worthless. */
  clear(): void {
    this.#ends = [];
  }

  /**
   * The room at the last frame that is good.
   * @throws {RoomStateError} not even the first one is
   */
  async replica(schemaHash: string, slice: Slice): Promise<RoomReplica> {
    const frames = this.#taken();
    try {
      return await replicaOf(frames, schemaHash, slice);
    } catch (error) {
      if (!(error instanceof BadFrame) || error.at === 0) throw reasonOf(error);
      return replicaOf(frames.slice(0, error.at), schemaHash, slice);
    }
  }

  /** As they are now: the log may be added to, or begun anew, meanwhile. */
  #taken(): Uint8Array[] {
    const whole = Buffer.from(this.#bytes.subarray(0, this.length));
    return this.#ends.map((end, at) => whole.subarray(this.#ends[at - 1] ?? 0, end));
  }
}

class BadFrame extends Error {
  readonly at: number;

  constructor(at: number, cause: RoomStateError) {
    super(cause.message, { cause });
    this.at = at;
  }
}

async function replicaOf(
  frames: readonly Uint8Array[],
  schemaHash: string,
  slice: Slice,
): Promise<RoomReplica> {
  const replica = new RoomReplica(schemaHash);
  for (let from = 0; from < frames.length; from += FRAMES_PER_SLICE) {
    await slice(() => {
      for (const [at, frame] of frames.slice(from, from + FRAMES_PER_SLICE).entries()) {
        pushFrame(replica, frame, from + at);
      }
    });
  }
  return replica;
}

function pushFrame(replica: RoomReplica, frame: Uint8Array, at: number): void {
  try {
    replica.push(frame);
  } catch (error) {
    if (error instanceof RoomStateError) throw new BadFrame(at, error);
    throw error;
  }
}

function reasonOf(error: unknown): unknown {
  return error instanceof BadFrame ? error.cause : error;
}
