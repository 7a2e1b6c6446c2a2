/**
 * Which node runs a room. Claimed rooms are in the database; plain Colyseus rooms claim nothing, so the
 * core also remembers, in memory, where it got seats lately: the last `ROOMS_MAX` rooms.
 */
import type { GameName, NodeId, RoomId } from "../../shared/ids.ts";
import type { Sql } from "../db/database.ts";
import { selectRoom } from "../regions/region-store.ts";

const ROOMS_MAX = 100_000;

/** Where a room runs, and what is played there. */
export interface RoomPlace {
  readonly nodeId: NodeId;
  readonly game: GameName;
}

export class RoomDirectory {
  readonly #sql: Sql;
  readonly #rooms = new Map<RoomId, RoomPlace>();

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  note(roomId: RoomId, place: RoomPlace): void {
    this.#rooms.delete(roomId);
    this.#rooms.set(roomId, place);
    if (this.#rooms.size <= ROOMS_MAX) return;
    const [oldest] = this.#rooms.keys();
    if (oldest !== undefined) this.#rooms.delete(oldest);
  }

  /** Undefined when the room has ended or was never heard of. */
  async find(roomId: RoomId): Promise<RoomPlace | undefined> {
    const claimed = await selectRoom(this.#sql, roomId);
    if (claimed) {
      return claimed.ended ? undefined : { nodeId: claimed.node_id, game: claimed.game };
    }
    return this.#rooms.get(roomId);
  }
}
