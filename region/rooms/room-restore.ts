/**
 * From a snapshot to what a new room starts with. Everything that can be wrong with the bytes shows
 * here, before there is a room.
 */
import type { Schema } from "@colyseus/schema";
import type { Epoch } from "../../shared/epoch.ts";
import { corrupt } from "./room-error.ts";
import { decodeFrame } from "./room-frame.ts";
import { parseRecord, type RoomProgress, type RoomRecord } from "./room-side.ts";
import { applyChange, emptyImage, type StateImage } from "./snapshot-image.ts";
import { restoreState } from "./snapshot-restore.ts";
import type { StateTypes } from "./snapshot-schema.ts";

/** Under this key a room's options carry its restoration. */
const OPTION = "~restore";

/** Nothing that came over a network can be an instance of it. For one room only. */
export class Restoration {
  readonly state: Schema;
  readonly image: StateImage;
  readonly progress: RoomProgress;
  readonly record: RoomRecord;
  /** Of the owner that made it, if it is known. */
  readonly formerEpoch: Epoch | undefined;

  /** @throws {RoomStateError} `snapshot_corrupt`, `schema_mismatch` or `limit_exceeded` */
  constructor(types: StateTypes, snapshot: Uint8Array, formerEpoch?: Epoch) {
    const frame = decodeFrame(snapshot, types.hash);
    if (frame.kind !== "full") throw corrupt("a delta is not a snapshot");
    this.image = emptyImage();
    applyChange(this.image, frame.state);
    this.progress = frame.progress;
    this.record = parseRecord(frame.record ?? "");
    this.state = restoreState(types, this.image);
    this.formerEpoch = formerEpoch;
  }

  /** The options to make the room with. */
  get options(): Record<string, unknown> {
    return { [OPTION]: this };
  }
}

export function restorationIn(options: unknown): Restoration | undefined {
  if (typeof options !== "object" || options === null) return undefined;
  const found = (options as Record<string, unknown>)[OPTION];
  return found instanceof Restoration ? found : undefined;
}
