/**
 * Which node runs a room. Claimed rooms are in the database; plain Colyseus rooms claim nothing, so the
 * core also remembers, in memory, where it got seats lately: the last `ROOMS_MAX` rooms.
 *
 * A room that its owner released is on its way to the next one, which claims it within a second or
 * two. Whoever asks for it waits that long; all who wait for one room share one look at the
 * database.
 */
import { type Clock, sleep } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { GameName, NodeId, RoomId } from "../../shared/ids.ts";
import { RELEASED_ROOM_MS } from "../../shared/protocol/link.ts";
import type { Sql } from "../db/database.ts";
import { type RoomRow, selectRoom } from "../regions/region-store.ts";

const ROOMS_MAX = 100_000;
/** Shorter than the deadline of the client's call, so that it hears an answer. */
const WAIT_MAX_MS = 4_000;
const POLL_MS = 50;
const RETRY_AFTER_MS = 250;
/** Rooms that are looked for at a time: anybody can ask for one that never was. */
const SETTLING_MAX = 128;

/** Where a room runs, and what is played there. */
export interface RoomPlace {
  readonly nodeId: NodeId;
  readonly game: GameName;
}

export class RoomDirectory {
  readonly #sql: Sql;
  readonly #clock: Clock;
  readonly #rooms = new Map<RoomId, RoomPlace>();
  readonly #settling = new Map<RoomId, Promise<void>>();

  constructor(sql: Sql, clock: Clock) {
    this.#sql = sql;
    this.#clock = clock;
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

  /**
   * Resolves at once for any room that is not on its way, else when it has arrived or is given up.
   * @throws {MeridianError} `unavailable` when it is on its way still after 4 s, or when too many others
   *   are asked for: ask again
   */
  settled(roomId: RoomId): Promise<void> {
    const under = this.#settling.get(roomId);
    if (under) return under;
    if (this.#settling.size >= SETTLING_MAX) return Promise.reject(tooMany());
    const settling = this.#settle(roomId).finally(() => this.#settling.delete(roomId));
    this.#settling.set(roomId, settling);
    return settling;
  }

  async #settle(roomId: RoomId): Promise<void> {
    const endsAtMs = this.#clock.monotonicMs() + WAIT_MAX_MS;
    while (this.#isOnItsWay(await selectRoom(this.#sql, roomId))) {
      if (this.#clock.monotonicMs() >= endsAtMs) {
        const message = "The room is moving; ask again.";
        throw new MeridianError("unavailable", { message, retryAfterMs: RETRY_AFTER_MS });
      }
      await sleep(this.#clock, POLL_MS);
    }
  }

  #isOnItsWay(room: RoomRow | undefined): boolean {
    if (!room?.ended || !room.released_at) return false;
    return this.#clock.nowMs() < room.released_at.getTime() + RELEASED_ROOM_MS;
  }
}

function tooMany(): MeridianError {
  const message = "Too many rooms are asked for at this moment.";
  return new MeridianError("unavailable", { message, retryAfterMs: RETRY_AFTER_MS });
}
