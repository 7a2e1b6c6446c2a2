/**
 * Rooms that ended and players who left, on their way into the database: many per statement, so that
 * heartbeats never wait for it. While the database is away they pile up, at most `PENDING_MAX`; past that the oldest are
 * dropped and counted. A dropped room stays listed, and whoever asks for it is told by its node that it
 * is gone; a player whose leaving was dropped costs the next join a call to that node.
 */
import type { Logger } from "pino";
import type { Cancel, Clock } from "../../shared/clock.ts";
import { isFailure } from "../../shared/errors.ts";
import type { NodeId, RegionId, RoomId } from "../../shared/ids.ts";
import type { Part } from "../../shared/lifecycle.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import type { Database } from "../db/database.ts";
import { selectUnheard } from "../failover/fence-store.ts";
import { LogPace } from "../http/log-pace.ts";
import { clearSessions, type LeftSession } from "../join/session-store.ts";
import { endRooms } from "./region-store.ts";

const PENDING_MAX = 50_000;
const BATCH_MAX = 1_000;
const FLUSH_PERIOD_MS = 250;

type Ended =
  | ({ readonly what: "session" } & LeftSession)
  | { readonly what: "room"; readonly nodeId: NodeId; readonly roomId: RoomId }
  | {
      readonly what: "orphans";
      readonly regionId: RegionId;
      readonly knownNodeIds: readonly NodeId[];
      readonly claimedBefore: Date;
    };

export interface EndedRoomsDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Told of a node with open rooms that is not there any more, perhaps several times. */
  readonly onUnheard: (nodeId: NodeId) => void;
}

export class EndedRooms implements Part {
  readonly name = "ended rooms";
  readonly #deps: EndedRoomsDeps;
  readonly #dropped: Counter;
  readonly #pace = new LogPace();
  #pending: Ended[] = [];
  #flushing: Promise<void> | undefined;
  #cancel: Cancel = () => {};

  constructor(deps: EndedRoomsDeps) {
    this.#deps = deps;
    this.#dropped = new Counter({
      name: "meridian_ended_rooms_dropped_total",
      help: "Ends of rooms that were never written because too many waited for the database.",
      registers: [deps.metrics],
    });
  }

  start(): void {
    this.#cancel = this.#deps.clock.every(FLUSH_PERIOD_MS, () => {
      this.#flushing ??= this.#flush().finally(() => {
        this.#flushing = undefined;
      });
    });
  }

  async stop(): Promise<void> {
    this.#cancel();
    await this.#flushing;
    await this.#flush();
  }

  add(nodeId: NodeId, roomIds: readonly RoomId[]): void {
    for (const roomId of roomIds) this.#pending.push({ what: "room", nodeId, roomId });
    this.#trim();
  }

  /** Players who are out of their rooms for good. */
  addLeft(left: readonly LeftSession[]): void {
    for (const session of left) this.#pending.push({ what: "session", ...session });
    this.#trim();
  }

  /**
   * Looks for rooms of the region that are elsewhere than at these nodes, which then are gone. However late that
   * is done, it is as of now: what a node claims that is heard only after this is left alone.
   */
  addOrphans(regionId: RegionId, knownNodeIds: readonly NodeId[]): void {
    const claimedBefore = new Date(this.#deps.clock.nowMs());
    this.#pending.push({ what: "orphans", regionId, knownNodeIds, claimedBefore });
    this.#trim();
  }

  #trim(): void {
    const excess = this.#pending.length - PENDING_MAX;
    if (excess <= 0) return;
    this.#pending.splice(0, excess);
    this.#dropped.inc(excess);
  }

  async #flush(): Promise<void> {
    while (this.#pending.length > 0) {
      const batch = this.#pending.slice(0, BATCH_MAX);
      this.#pending = this.#pending.slice(BATCH_MAX);
      if (await this.#write(batch)) continue;
      this.#pending = [...batch, ...this.#pending];
      this.#trim();
      return;
    }
  }

  async #write(batch: readonly Ended[]): Promise<boolean> {
    const { database, clock, log, onUnheard } = this.#deps;
    const endedAt = new Date(clock.nowMs());
    const rooms = batch.filter((ended) => ended.what === "room");
    const left = batch.filter((ended) => ended.what === "session");
    const orphans = batch.filter((ended) => ended.what === "orphans");
    try {
      if (rooms.length > 0) await endRooms(database, rooms, endedAt);
      if (left.length > 0) await clearSessions(database, left, endedAt);
      for (const each of orphans) {
        for (const nodeId of await selectUnheard(database, each)) onUnheard(nodeId);
      }
      return true;
    } catch (err) {
      const held = this.#pace.permit(clock.monotonicMs());
      if (held !== undefined) {
        const pending = this.#pending.length + batch.length;
        log.warn({ err, held, pending, runbook: "core-database" }, "can't write ends of rooms");
      }
      // A failure of the world passes; a mistake of ours would repeat for ever, so that batch goes.
      if (isFailure(err)) return false;
      this.#dropped.inc(batch.length);
      return true;
    }
  }
}
