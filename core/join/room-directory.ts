/**
 * Which node runs a room. Claimed rooms are in the database; plain Colyseus rooms claim nothing, so the
 * core also remembers, in memory, where it got seats lately: the last `ROOMS_MAX` rooms.
 *
 * A room that its owner released or lost is on its way to the next one, which claims it within a second or two.
 * Whoever asks for it waits that long, and as long as it is undecided whether a room's node lives; all who wait
 * for one room share one wait. They are woken by this core's own grants and decisions; now and then the database
 * is asked all the same.
 */
import { type Clock, sleep } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { GameName, NodeId, RoomId } from "../../shared/ids.ts";
import { RELEASED_ROOM_MS } from "../../shared/protocol/link.ts";
import type { Sql } from "../db/database.ts";
import { type RoomRow, selectRoom } from "../regions/region-store.ts";

const ROOMS_MAX = 100_000;
/** Shorter than the deadline of the client's call, so that it hears an answer. */
export const SETTLE_MAX_MS = 4_000;
/** A look at the database for each room that is waited for, in case that nothing wakes it. */
const POLL_MS = 500;
const RETRY_AFTER_MS = 250;
/**
 * Rooms that are looked for at a time: anybody can ask for one that never was. As many as there may be requests:
 * a region of 50,000 players has a thousand rooms of fifty.
 */
const SETTLING_MAX = 4_096;

/** Where a room runs, and what is played there. */
export interface RoomPlace {
  readonly nodeId: NodeId;
  readonly game: GameName;
}

interface Settling {
  readonly done: Promise<RoomPlace | undefined>;
  wake: AbortController;
  /** Whose end or life is waited for. */
  nodeId: NodeId | undefined;
}

export class RoomDirectory {
  readonly #sql: Sql;
  readonly #clock: Clock;
  readonly #isUndecided: (nodeId: NodeId) => boolean;
  readonly #rooms = new Map<RoomId, RoomPlace>();
  readonly #settling = new Map<RoomId, Settling>();

  /** @param isUndecided whether it is in doubt that the node lives, and will be known in a moment */
  constructor(sql: Sql, clock: Clock, isUndecided: (nodeId: NodeId) => boolean = () => false) {
    this.#sql = sql;
    this.#clock = clock;
    this.#isUndecided = isUndecided;
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
    return this.#placeOf(roomId, await selectRoom(this.#sql, roomId));
  }

  /** The room has an owner, or has ended: whoever waits for it looks again. */
  roomChanged(roomId: RoomId): void {
    this.#settling.get(roomId)?.wake.abort();
  }

  /** It is decided what became of a node. */
  nodeChanged(nodeId: NodeId): void {
    for (const settling of this.#settling.values()) {
      if (settling.nodeId === nodeId) settling.wake.abort();
    }
  }

  /**
   * Resolves at once for any room that is not on its way, else when it has arrived or is given up.
   * @returns as `find`, of that moment
   * @throws {MeridianError} `unavailable` when it is on its way still after 4 s, or when too many others
   *   are asked for: ask again
   */
  settled(roomId: RoomId): Promise<RoomPlace | undefined> {
    const under = this.#settling.get(roomId);
    if (under) return under.done;
    if (this.#settling.size >= SETTLING_MAX) return Promise.reject(tooMany());
    const settling: Settling = {
      // Not before this function has returned: `settling` is there by then.
      done: Promise.resolve()
        .then(() => this.#settle(roomId, settling))
        .finally(() => this.#settling.delete(roomId)),
      wake: new AbortController(),
      nodeId: undefined,
    };
    this.#settling.set(roomId, settling);
    return settling.done;
  }

  /** Whether the room is neither on its way nor in doubt at this moment. */
  async isSettled(roomId: RoomId): Promise<boolean> {
    const room = await selectRoom(this.#sql, roomId);
    return this.#standsFirm(room, this.#nodeOf(roomId, room));
  }

  async #settle(roomId: RoomId, settling: Settling): Promise<RoomPlace | undefined> {
    const endsAtMs = this.#clock.monotonicMs() + SETTLE_MAX_MS;
    for (;;) {
      // Before the look: a change after it wakes this wait.
      settling.wake = new AbortController();
      const room = await selectRoom(this.#sql, roomId);
      settling.nodeId = this.#nodeOf(roomId, room);
      if (this.#standsFirm(room, settling.nodeId)) return this.#placeOf(roomId, room);
      const leftMs = endsAtMs - this.#clock.monotonicMs();
      if (leftMs <= 0) {
        const message = "The room is moving; ask again.";
        throw new MeridianError("unavailable", { message, retryAfterMs: RETRY_AFTER_MS });
      }
      await sleep(this.#clock, Math.min(POLL_MS, leftMs), settling.wake.signal);
    }
  }

  #placeOf(roomId: RoomId, claimed: RoomRow | undefined): RoomPlace | undefined {
    if (!claimed) return this.#rooms.get(roomId);
    return claimed.ended ? undefined : { nodeId: claimed.node_id, game: claimed.game };
  }

  #nodeOf(roomId: RoomId, room: RoomRow | undefined): NodeId | undefined {
    return room ? room.node_id : this.#rooms.get(roomId)?.nodeId;
  }

  #standsFirm(room: RoomRow | undefined, nodeId: NodeId | undefined): boolean {
    return !this.#isOnItsWay(room) && !this.#isInDoubt(room, nodeId);
  }

  #isInDoubt(room: RoomRow | undefined, nodeId: NodeId | undefined): boolean {
    return !room?.ended && nodeId !== undefined && this.#isUndecided(nodeId);
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
