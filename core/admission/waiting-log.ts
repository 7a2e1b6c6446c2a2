/** What is kept of the queue while it lives: each change in the mirror, and where somebody waits in the database. */
import type { Logger } from "pino";
import type { PlayerId, RegionId } from "../../shared/ids.ts";
import type { QueueClaim } from "../../shared/protocol/queue.ts";
import type { PlaceView } from "./place-view.ts";
import type { WaitingRooms } from "./waiting-rooms.ts";

/** While anybody waits, it is written down so often that they did. */
const RECORD_PERIOD_MS = 5_000;

/** Keeps all places for the next life of the core, as well as it can. */
export interface Mirror {
  load(): Promise<readonly QueueClaim[] | undefined>;
  note(changes: ReadonlyMap<PlayerId, QueueClaim | undefined>): void;
}

/** Where people waited, in the database. */
export interface WaitingRecord {
  note(regionIds: readonly RegionId[]): Promise<void>;
  waitedSince(atMs: number): Promise<readonly RegionId[]>;
}

export interface WaitingLogDeps {
  readonly rooms: WaitingRooms;
  readonly view: PlaceView;
  readonly mirror: Mirror;
  readonly record: WaitingRecord;
  readonly log: Logger;
}

export class WaitingLog {
  readonly #deps: WaitingLogDeps;
  #recordedMs = 0;
  #recorded: ReadonlySet<RegionId> = new Set();

  constructor(deps: WaitingLogDeps) {
    this.#deps = deps;
  }

  /** The mirror is told behind what happened. */
  mirror(): void {
    const { rooms, view, mirror } = this.#deps;
    const changed = rooms.takeChanged();
    if (changed.size === 0) return;
    const claims = new Map<PlayerId, QueueClaim | undefined>();
    for (const [leader, entry] of changed) {
      const [member] = entry?.members ?? [];
      claims.set(leader, member && view.claimOf(member));
    }
    mirror.note(claims);
  }

  /** Without it a later loss is not known to be one; where it fails, the next period tries again. */
  record(nowMs: number): void {
    const { rooms, record, log } = this.#deps;
    const waiting: RegionId[] = [];
    for (const [regionId, queue] of rooms.queues) if (queue.waiting > 0) waiting.push(regionId);
    const isDue = nowMs - this.#recordedMs >= RECORD_PERIOD_MS;
    if (!isDue && waiting.every((regionId) => this.#recorded.has(regionId))) return;
    this.#recordedMs = nowMs;
    this.#recorded = new Set(waiting);
    if (waiting.length === 0) return;
    record.note(waiting).catch((err: unknown) => {
      log.warn({ err, runbook: "core-database" }, "can't note who waits");
    });
  }
}
