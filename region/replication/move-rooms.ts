/**
 * Moves live rooms to their standbys, with no tick lost: an operator wants this node empty, and its players playing.
 *
 *     whole copy at the standby → released at the core → stopped, captured ─┬→ last frame, acknowledged
 *                                                                           └→ players sent off
 *
 * The standby goes on with the room as soon as it has the last frame, without waiting for the core's word, and the
 * players are on their way meanwhile: between the capture and the next owner's first tick nothing waits for anything
 * that it does not need.
 *
 * Up to the release nothing has changed, and a room without a whole copy just stays. After it nobody but the holder
 * of the last frame can go on with the room: the standby when it has it, else this node itself, which restores the
 * room from that frame and claims it anew. So it does when nobody can tell whether the core released the room: only
 * a new claim settles whose it is. A released room that can't be captured ends.
 */
import type { Logger } from "pino";
import { type Clock, sleep } from "../../shared/clock.ts";
import { type ErrorKind, isFailure } from "../../shared/errors.ts";
import type { RoomId } from "../../shared/ids.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import type { MoveRoomsAnswer } from "../../shared/protocol/failover.ts";
import type { Matchmaker } from "../matchmaking/matchmaker.ts";
import type { HandedOver, Rooms } from "../node/colyseus.ts";
import type { HandedRoom } from "../node/hand-over-file.ts";
import { StepTimes } from "../node/step-times.ts";
import { GameRoom } from "../rooms/game-room.ts";
import { atATime } from "./at-a-time.ts";
import type { Replication } from "./replication.ts";

/** For its standby to have a whole copy of a room. */
const WHOLE_WITHIN_MS = 2_000;
const POLL_MS = 20;
const RELEASE_ATTEMPTS = 3;
const RELEASE_RETRY_MS = 200;
/** For the standby's word that it has the last frame. */
const ACKED_WITHIN_MS = 2_000;
/** Rooms that stand still at a time: each takes a frame of its whole state. */
const MOVED_AT_A_TIME = 16;
const REASON_LENGTH_MAX = 200;
/** Failures of a call that may have had its effect. */
const UNKNOWN: ReadonlySet<ErrorKind> = new Set(["timeout", "unavailable", "internal"]);

export interface MoveRoomsOptions {
  readonly rooms: Rooms;
  readonly matchmaker: Pick<Matchmaker, "expect">;
  readonly replication: Pick<Replication, "standbyOf" | "give">;
  /** Gives rooms up at the core. */
  readonly release: (roomIds: readonly RoomId[]) => Promise<void>;
  /** Brings players' state to the core, from where the next owner loads it. */
  readonly flushStates: () => Promise<void>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

type Moved = MoveRoomsAnswer["moved"][number];
type Stayed = MoveRoomsAnswer["stayed"][number];

export class MoveRooms {
  readonly #options: MoveRoomsOptions;
  readonly #outcomes: Counter<"outcome">;
  readonly #times: StepTimes<"release" | "give">;
  /** A room that is asked for twice is moved once. */
  readonly #underWay = new Set<RoomId>();
  readonly #slots = atATime(MOVED_AT_A_TIME);

  constructor(options: MoveRoomsOptions) {
    this.#options = options;
    this.#outcomes = new Counter({
      name: "meridian_region_moved_rooms_total",
      help: "Live rooms that were to move to their standby: moved, stayed, or restored here again.",
      labelNames: ["outcome"],
      registers: [options.metrics],
    });
    const { clock, metrics } = options;
    this.#times = new StepTimes({
      name: "meridian_region_room_move_seconds",
      help: "Of live rooms that move: release at the core, give (players are away from its begin on).",
      clock,
      metrics,
    });
  }

  /** Never rejects: each room has moved or stayed. */
  async move(roomIds: readonly RoomId[]): Promise<MoveRoomsAnswer> {
    const wanted = [...new Set(roomIds)].filter((roomId) => !this.#underWay.has(roomId));
    const stayed: Stayed[] = roomIds
      .filter((roomId) => this.#underWay.has(roomId))
      .map((roomId) => ({ roomId, why: "it is being moved" }));
    for (const roomId of wanted) this.#underWay.add(roomId);
    try {
      const outcomes = await this.#move(wanted, stayed);
      const moved: Moved[] = [];
      for (const outcome of outcomes) {
        if ("why" in outcome) stayed.push(outcome);
        else moved.push(outcome);
      }
      const { log } = this.#options;
      for (const { roomId, why } of stayed) {
        this.#outcomes.inc({ outcome: "stayed" });
        log.warn({ roomId, why, runbook: "region-take-over" }, "a room was not moved");
      }
      log.info({ rooms: moved.length, stayed: stayed.length }, "moved rooms to their standbys");
      return { moved, stayed };
    } finally {
      for (const roomId of wanted) this.#underWay.delete(roomId);
    }
  }

  async #move(roomIds: readonly RoomId[], stayed: Stayed[]): Promise<(Moved | Stayed)[]> {
    const ready: RoomId[] = [];
    await Promise.all(
      roomIds.map(async (roomId) => {
        const why = await this.#obstacle(roomId);
        if (why === undefined) ready.push(roomId);
        else stayed.push({ roomId, why });
      }),
    );
    if (ready.length === 0) return [];
    let released: boolean;
    try {
      released = await this.#times.of("release", this.#release(ready));
    } catch (error) {
      const why = `the core did not release it: ${String(error)}`.slice(0, REASON_LENGTH_MAX);
      return ready.map((roomId) => ({ roomId, why }));
    }
    const outcomes = released
      ? await Promise.all(ready.map((roomId) => this.#slots(() => this.#give(roomId))))
      : await this.#claimAnew(ready);
    const { flushStates, log } = this.#options;
    // The next owner waits for the players' documents, the core does not.
    flushStates().catch((err: unknown) => {
      log.warn({ err, runbook: "region-take-over" }, "players' documents are not flushed yet");
    });
    return outcomes;
  }

  /**
   * Tried again, because rooms whose release was only not answered are not this node's any more.
   * @returns false when nobody can tell whether they are released
   * @throws what the core refused it for: they are not
   */
  async #release(roomIds: readonly RoomId[]): Promise<boolean> {
    let unknown = false;
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#options.release(roomIds);
        return true;
      } catch (error) {
        unknown ||= !isFailure(error) || UNKNOWN.has(error.kind);
        if (attempt === RELEASE_ATTEMPTS) {
          if (unknown) return false;
          throw error;
        }
        await sleep(this.#options.clock, RELEASE_RETRY_MS);
      }
    }
  }

  /** Rooms that may be released: stopped first, because they must not run on without an owner. */
  async #claimAnew(roomIds: readonly RoomId[]): Promise<Stayed[]> {
    const { rooms, log } = this.#options;
    const stopped: { roomId: RoomId; handed: HandedOver }[] = [];
    const outcomes: Stayed[] = [];
    await Promise.all(
      roomIds.map(async (roomId) => {
        const handed = rooms.handOverOne(roomId);
        if (!handed) {
          outcomes.push(await this.#uncaptured(roomId));
          return;
        }
        stopped.push({ roomId, handed });
        await rooms.end(handed.room);
      }),
    );
    // A claim is granted for released rooms only. Whether this is so in the end, the claim finds out.
    await this.#release(stopped.map(({ roomId }) => roomId)).catch((err: unknown) => {
      log.warn(
        { err, runbook: "region-take-over" },
        "rooms that are claimed anew are not released",
      );
    });
    const why = "nobody could tell whether it is released: it was claimed anew";
    const restored = stopped.map(({ roomId, handed: { game, snapshot, roomEpoch } }) =>
      this.#slots(() => this.#restore({ roomId, game, snapshot, formerEpoch: roomEpoch }, why)),
    );
    return [...outcomes, ...(await Promise.all(restored))];
  }

  /** It is gone already, or runs on without an owner: it has to end. */
  async #uncaptured(roomId: RoomId): Promise<Stayed> {
    const { rooms, log } = this.#options;
    const room = rooms.find(roomId);
    if (!room) return { roomId, why: "it ended meanwhile" };
    log.error(
      { roomId, game: room.roomName, runbook: "region-take-over" },
      "a room that was released can't be captured: it is ended",
    );
    await rooms.end(room);
    return { roomId, why: "lost: it could not be captured after its release" };
  }

  /** Why it can't move; waits for its copy to be whole. */
  async #obstacle(roomId: RoomId): Promise<string | undefined> {
    const { rooms, replication, clock } = this.#options;
    const room = rooms.find(roomId);
    if (!(room instanceof GameRoom) || !room.epoch) return "no such room, or none that can move";
    room.restartReplication();
    const endsAtMs = clock.monotonicMs() + WHOLE_WITHIN_MS;
    while (replication.standbyOf(roomId) === undefined) {
      if (clock.monotonicMs() >= endsAtMs) return "no standby has a whole copy of it";
      await sleep(clock, POLL_MS);
    }
    return undefined;
  }

  async #give(roomId: RoomId): Promise<Moved | Stayed> {
    const { rooms, replication, log } = this.#options;
    const handed = rooms.handOverOne(roomId);
    if (!handed) return this.#uncaptured(roomId);
    const { room, game, snapshot, roomEpoch, tick } = handed;
    const giving = this.#times.of("give", replication.give(roomId, snapshot, ACKED_WITHIN_MS));
    // Its players are sent off in any case: whoever goes on with it, it is another room object.
    const ended = rooms.end(room).catch((err: unknown) => {
      log.warn({ err, roomId, game, runbook: "region-take-over" }, "a room that moved did not end");
    });
    const to = await giving;
    if (to) {
      this.#outcomes.inc({ outcome: "moved" });
      return { roomId, to, roomEpoch, tick };
    }
    log.warn(
      { roomId, game, runbook: "region-take-over" },
      "the standby did not take a room that was to move: it goes on here",
    );
    // There can't be two of that name here.
    await ended;
    const why = "its standby did not take the last frame in time";
    return this.#restore({ roomId, game, snapshot, formerEpoch: roomEpoch }, why);
  }

  async #restore(captured: HandedRoom, why: string): Promise<Stayed> {
    const { roomId, game } = captured;
    const { rooms, matchmaker, log } = this.#options;
    this.#outcomes.inc({ outcome: "restored" });
    try {
      const room = await rooms.restore(captured);
      await matchmaker.expect(room, roomId);
      return { roomId, why };
    } catch (err) {
      log.error(
        { err, roomId, game, runbook: "region-take-over" },
        "a room that could not move can't be restored here either: it is lost",
      );
      return { roomId, why: "lost: it could be restored neither there nor here" };
    }
  }
}
