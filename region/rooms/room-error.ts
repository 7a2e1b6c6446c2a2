/**
 * What can go wrong between a room's state and its copy elsewhere. Callers branch on `kind`.
 */

export type RoomStateErrorKind =
  /** A class holds what can't be restored; `problems` names each. Thrown at registration only. */
  | "unrestorable_state"
  /** The bytes are not a frame of ours, or were cut or changed on the way. */
  | "snapshot_corrupt"
  /** The frame was made by other state classes than these. */
  | "schema_mismatch"
  /** Frames are missing before this one: the standby needs a full frame. */
  | "replica_gap"
  /** A named bound was passed. */
  | "limit_exceeded";

export interface RoomStateErrorDetails {
  readonly cause?: unknown;
  /** One line each, for example `Player.speed: is not a field of the schema`. */
  readonly problems?: readonly string[];
}

export class RoomStateError extends Error {
  readonly kind: RoomStateErrorKind;
  readonly problems: readonly string[];

  constructor(kind: RoomStateErrorKind, message: string, details: RoomStateErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.name = "RoomStateError";
    this.kind = kind;
    this.problems = details.problems ?? [];
  }
}

export function corrupt(message: string, cause?: unknown): RoomStateError {
  return new RoomStateError("snapshot_corrupt", message, { cause });
}
