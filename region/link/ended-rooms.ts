/**
 * Rooms that ended, until the core has acknowledged them. Bounded: past it the oldest is dropped and
 * counted; the core then learns of that room's end only when somebody asks for it.
 */
import type { RoomId } from "../../shared/ids.ts";

export class EndedRooms {
  readonly #max: number;
  readonly #roomIds = new Set<RoomId>();
  /** How many were dropped unreported. */
  dropped = 0;

  constructor(max: number) {
    this.#max = max;
  }

  add(roomId: RoomId): void {
    this.#roomIds.add(roomId);
    if (this.#roomIds.size <= this.#max) return;
    const [oldest] = this.#roomIds;
    if (oldest !== undefined) this.#roomIds.delete(oldest);
    this.dropped += 1;
  }

  /** What the next heartbeat reports, oldest first. */
  list(): RoomId[] {
    return [...this.#roomIds];
  }

  acknowledged(roomIds: readonly RoomId[]): void {
    for (const roomId of roomIds) this.#roomIds.delete(roomId);
  }
}
