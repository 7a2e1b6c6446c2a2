/** Why a copy could not be restored or passed on, as the core is told. */
import { BAD_COPY } from "../../shared/protocol/failover.ts";
import { RoomStateError } from "../rooms/room-error.ts";

/** That the copy is to blame is said only where no other node could do better with it. */
export function whyNot(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const isBad =
    error instanceof RoomStateError &&
    (error.kind === "snapshot_corrupt" || error.kind === "replica_gap");
  return isBad ? `${BAD_COPY}: ${message}` : message;
}
