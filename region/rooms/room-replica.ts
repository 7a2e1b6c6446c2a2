/**
 * A standby's copy of one room, kept as plain data: no Colyseus room runs, no game code runs. Memory
 * is one node per instance, however long the room lives, because a delta replaces what it is about.
 *
 * After a gap, a restart of the owner or a damaged frame the copy stays as it was and says so by its
 * error; the owner is then asked for a full frame.
 */
import type { SessionRecord } from "./player.ts";
import { RoomStateError } from "./room-error.ts";
import { decodeFrame, encodeFrame, type RoomFrame } from "./room-frame.ts";
import { parseRecord, type RoomProgress } from "./room-side.ts";
import { applyChange, emptyImage, type StateImage, wholeImage } from "./snapshot-image.ts";

export class RoomReplica {
  readonly #schemaHash: string;
  #image: StateImage = emptyImage();
  #last: (RoomFrame & { readonly record: string }) | undefined;

  constructor(schemaHash: string) {
    this.#schemaHash = schemaHash;
  }

  /** Where the room stood at the last frame; undefined before the first full one. */
  get progress(): RoomProgress | undefined {
    return this.#last?.progress;
  }

  /**
   * Who is in it, as of the last frame.
   * @throws {RoomStateError} `snapshot_corrupt`
   */
  get sessions(): readonly SessionRecord[] {
    return this.#last ? parseRecord(this.#last.record).sessions : [];
  }

  /** The last frame's number; undefined before the first full one. */
  get seq(): number | undefined {
    return this.#last?.seq;
  }

  /**
   * Takes the next frame.
   * @throws {RoomStateError} `replica_gap`, `snapshot_corrupt`, `schema_mismatch` or
   *   `limit_exceeded`: then a full frame is needed
   */
  push(bytes: Uint8Array): void {
    const frame = decodeFrame(bytes, this.#schemaHash);
    if (frame.kind === "full") {
      this.#image = emptyImage();
    } else if (this.#last?.seq !== frame.seq - 1) {
      throw new RoomStateError("replica_gap", `frame ${frame.seq} after ${this.#last?.seq}`);
    }
    const record = frame.record ?? this.#last?.record ?? "";
    // A change that fails half way leaves no base for the next one.
    this.#last = undefined;
    applyChange(this.#image, frame.state);
    this.#last = { ...frame, record };
  }

  /**
   * The room as a full frame, to restore it from.
   * @throws {RoomStateError} `replica_gap` before the first full frame, or after a failed one
   */
  snapshot(): Uint8Array {
    if (!this.#last) throw new RoomStateError("replica_gap", "no whole state has arrived");
    return encodeFrame({ ...this.#last, kind: "full", state: wholeImage(this.#image) });
  }
}
