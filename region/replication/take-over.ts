/**
 * Goes on with rooms of a node that is fenced, or that has released them: decoded, seats taken for all who were
 * there, restored, and then claimed as every room is.
 *
 * A room that its owner has given to this node is taken at once: its players are away, and whether the owner has
 * released it the claim finds out. The core asks for it all the same, once the owner has told of it.
 *
 * Asked again for a room that is here or on its way it answers as before. A room whose players don't all get a seat
 * is not restored: half a room is none. Rooms are restored a few at a time, in slices, because players of this node's
 * own rooms are not to notice.
 */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import type { GameName, RoomId } from "../../shared/ids.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import {
  type CopyName,
  NO_COPY,
  NO_SEATS,
  type TakeOverAnswer,
} from "../../shared/protocol/failover.ts";
import type { Matchmaker } from "../matchmaking/matchmaker.ts";
import type { Rooms } from "../node/colyseus.ts";
import { isGameRoom } from "../rooms/define-game.ts";
import { GameRoom } from "../rooms/game-room.ts";
import { schemaHash } from "../rooms/snapshot-schema.ts";
import { atATime } from "./at-a-time.ts";
import type { Copy, CopyStore } from "./copy-store.ts";
import type { Slice } from "./slices.ts";
import { whyNot } from "./why-not.ts";

const RESTORED_AT_A_TIME = 4;
const REASON_LENGTH_MAX = 200;

export interface TakeOverOptions {
  readonly rooms: Rooms;
  readonly matchmaker: Pick<Matchmaker, "takeSeats" | "giveSeats" | "expect">;
  readonly store: CopyStore;
  readonly slice: Slice;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

type Taken = TakeOverAnswer["taken"][number];
type Failed = TakeOverAnswer["failed"][number];
type Outcome = Taken | Failed;

export class TakeOver {
  readonly #options: TakeOverOptions;
  readonly #outcomes: Counter<"outcome">;
  readonly #underWay = new Map<RoomId, Promise<Outcome>>();
  readonly #slots = atATime(RESTORED_AT_A_TIME);

  constructor(options: TakeOverOptions) {
    this.#options = options;
    this.#outcomes = new Counter({
      name: "meridian_region_taken_over_rooms_total",
      help: "Rooms of other nodes that this one was to go on with: taken or failed.",
      labelNames: ["outcome"],
      registers: [options.metrics],
    });
  }

  /** Its owner has stopped it, and the copy here is all of it. */
  given(name: CopyName): void {
    // What fails is told to the core, which asks for the room, and to the log.
    void this.#takeOnce(name);
  }

  /** Never rejects: each room is taken or failed. */
  async take(names: readonly CopyName[]): Promise<TakeOverAnswer> {
    const { clock, log } = this.#options;
    const beganMs = clock.monotonicMs();
    const taken: Taken[] = [];
    const failed: Failed[] = [];
    await Promise.all(
      names.map(async (name) => {
        const outcome = await this.#takeOnce(name);
        if ("why" in outcome) failed.push(outcome);
        else taken.push(outcome);
      }),
    );
    const tookMs = clock.monotonicMs() - beganMs;
    log.info({ rooms: taken.length, failed: failed.length, tookMs }, "took over rooms");
    return { taken, failed };
  }

  #takeOnce(name: CopyName): Promise<Outcome> {
    const { roomId } = name;
    const underWay = this.#underWay.get(roomId);
    if (underWay) return underWay;
    const taking = this.#slots(() => this.#take(name)).finally(() => {
      this.#underWay.delete(roomId);
    });
    this.#underWay.set(roomId, taking);
    return taking;
  }

  async #take(name: CopyName): Promise<Outcome> {
    const { rooms, store, log } = this.#options;
    const { roomId } = name;
    const here = rooms.find(roomId);
    if (here instanceof GameRoom && !here.handedOver) {
      return { roomId, players: here.players.size, tick: here.tick };
    }
    const copy = store.find(name);
    if (!copy) return this.#failed(roomId, NO_COPY);
    try {
      const room = await this.#restore(copy);
      if (!room) return this.#failed(roomId, NO_SEATS);
      this.#outcomes.inc({ outcome: "taken" });
      return { roomId, players: room.players.size, tick: room.tick };
    } catch (err) {
      const { game, ofNode } = copy;
      log.error(
        { err, roomId, game, ofNode, runbook: "region-take-over" },
        "a room can't be restored from its copy",
      );
      return this.#failed(roomId, whyNot(err));
    }
  }

  /** @returns undefined when its players don't all get a seat */
  async #restore(copy: Copy): Promise<GameRoom | undefined> {
    const { rooms, matchmaker, slice } = this.#options;
    const { roomId, game, log, roomEpoch: formerEpoch } = copy;
    const replica = await log.replica(this.#hashOf(game), slice);
    const { sessions } = replica;
    if (!matchmaker.takeSeats(sessions, roomId)) return undefined;
    try {
      const snapshot = await slice(() => replica.snapshot());
      const room = await slice(() => rooms.restore({ roomId, game, snapshot, formerEpoch }));
      await matchmaker.expect(room, roomId);
      return room;
    } catch (error) {
      matchmaker.giveSeats(sessions);
      throw error;
    }
  }

  #hashOf(game: GameName): string {
    const roomClass = this.#options.rooms.classOf(game);
    if (!roomClass || !isGameRoom(roomClass)) throw new Error(`${game} is no game of this node`);
    return schemaHash(roomClass.State);
  }

  #failed(roomId: RoomId, why: string): Failed {
    this.#outcomes.inc({ outcome: "failed" });
    return { roomId, why: why.slice(0, REASON_LENGTH_MAX) };
  }
}
