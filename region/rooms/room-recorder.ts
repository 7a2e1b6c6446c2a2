/** Turns a room's patches into the frames of one standby, full ones and deltas. */
import type { Encoder } from "@colyseus/schema";
import { encodeFrame } from "./room-frame.ts";
import type { RoomProgress } from "./room-side.ts";
import { StateCapture } from "./snapshot-capture.ts";
import type { StateTypes } from "./snapshot-schema.ts";

export type FrameSink = (frame: Uint8Array) => void;
/** A frame could not be made: what the standbys have lacks it until the next one, which is a full one. */
export type FrameFailed = () => void;

/**
 * A full frame every so often (10 s at 20 patches/s) bounds how long a standby lacks what Colyseus'
 * change tracking was told to overlook (`untracked`, `pauseTracking`).
 */
export const FULL_EVERY_FRAMES = 200;

export class RoomRecorder {
  readonly #types: StateTypes;
  readonly #capture: StateCapture;
  readonly #sink: FrameSink;
  readonly #onFailed: FrameFailed;
  #seq = 0;
  #sinceFull = FULL_EVERY_FRAMES;
  #record: string | undefined;

  constructor(types: StateTypes, sink: FrameSink, onFailed: FrameFailed) {
    this.#types = types;
    this.#capture = new StateCapture(types);
    this.#sink = sink;
    this.#onFailed = onFailed;
  }

  /** The next frame will be a full one: the standby asks, or is another. */
  restart(): void {
    this.#sinceFull = FULL_EVERY_FRAMES;
  }

  /** What changed since the last frame is not in any. */
  failed(): void {
    this.restart();
    this.#onFailed();
  }

  /**
   * To be called before each patch.
   * @param record a `RoomRecord` as JSON
   * @throws {RoomStateError} `limit_exceeded` or `unrestorable_state`; the next frame is a full one
   */
  write(encoder: Encoder, progress: RoomProgress, record: string): void {
    const sinceFull = this.#sinceFull;
    const full = sinceFull >= FULL_EVERY_FRAMES;
    // Should this one fail, the next can't build on it.
    this.restart();
    const frame = encodeFrame({
      kind: full ? "full" : "delta",
      schemaHash: this.#types.hash,
      seq: this.#seq,
      progress,
      record: full || record !== this.#record ? record : undefined,
      state: full ? this.#capture.full(encoder) : this.#capture.delta(encoder),
    });
    this.#sink(frame);
    this.#seq += 1;
    this.#record = record;
    this.#sinceFull = full ? 1 : sinceFull + 1;
  }
}
