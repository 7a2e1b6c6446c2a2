/**
 * For which regions players waited of late, in the database. A core that starts without a queue that it can trust
 * lets nobody into those until the waiting have come back with their tokens; others are open at once.
 *
 * What counts is `WAITED_MS`: as long as the place of a hidden tab is kept. A region that is paused without
 * need opens half a minute late, once; one that is open too early lets newcomers pass those who waited.
 */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { RegionId } from "../../shared/ids.ts";
import type { Part } from "../../shared/lifecycle.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import { QUEUE_HIDDEN_GRACE_MS } from "../../shared/protocol/queue.ts";
import type { Sql } from "../db/database.ts";
import { LogPace } from "../http/log-pace.ts";

const NOTE_PERIOD_MS = 5_000;
/** Somebody who waited within that may still come back with a token, ms. */
export const WAITED_MS = QUEUE_HIDDEN_GRACE_MS + NOTE_PERIOD_MS;

export interface WaitingRecordDeps {
  readonly database: Sql;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class WaitingRecord implements Part {
  readonly name = "record of waiting rooms";
  readonly #deps: WaitingRecordDeps;
  readonly #failures: Counter;
  readonly #pace = new LogPace();
  /** When each region was last written, monotonic. */
  readonly #notedMs = new Map<RegionId, number>();
  #writing: Promise<void> | undefined;

  constructor(deps: WaitingRecordDeps) {
    this.#deps = deps;
    this.#failures = new Counter({
      name: "meridian_waiting_record_failed_total",
      help: "Times that the regions with players who wait could not be noted in the database.",
      registers: [deps.metrics],
    });
  }

  async stop(): Promise<void> {
    await this.#writing;
  }

  /**
   * Players wait for these regions now. To be called as often as one likes: each is written every 5 s, and at
   * once when it was not within that.
   */
  note(regionIds: readonly RegionId[]): void {
    if (this.#writing) return;
    const nowMs = this.#deps.clock.monotonicMs();
    const isDue = (id: RegionId) =>
      nowMs - (this.#notedMs.get(id) ?? Number.NEGATIVE_INFINITY) >= NOTE_PERIOD_MS;
    if (!regionIds.some(isDue)) return;
    for (const id of regionIds) this.#notedMs.set(id, nowMs);
    this.#writing = this.#write(regionIds).finally(() => {
      this.#writing = undefined;
    });
  }

  /** Regions for which somebody waited then or later. @param atMs ms since 1970 */
  async waitedSince(atMs: number): Promise<RegionId[]> {
    const rows = await this.#deps.database.rows<{ region_id: string }>(
      "select region_id from waiting_rooms where waited_at >= $1 order by region_id",
      [new Date(atMs)],
    );
    return rows.map(({ region_id }) => RegionId.parse(region_id));
  }

  /** When anybody was last known to wait, ms since 1970; undefined for never. */
  async lastWaitedMs(): Promise<number | undefined> {
    const [row] = await this.#deps.database.rows<{ last: Date | null }>(
      "select max(waited_at) as last from waiting_rooms",
    );
    return row?.last?.getTime();
  }

  /** Never rejects. */
  async #write(regionIds: readonly RegionId[]): Promise<void> {
    const { database, clock, log } = this.#deps;
    try {
      await database.run(
        `insert into waiting_rooms (region_id, waited_at)
         select region_id, $2 from unnest($1::text[]) as region_id order by region_id
         on conflict (region_id) do update set waited_at = excluded.waited_at`,
        [[...new Set(regionIds)], new Date(clock.nowMs())],
      );
    } catch (err) {
      this.#failures.inc();
      const held = this.#pace.permit(clock.monotonicMs());
      if (held === undefined) return;
      log.warn(
        { err, held, runbook: "core-admission-redis" },
        "can't note for which regions players wait",
      );
    }
  }
}
