/**
 * For which regions players waited of late, in the database: a core that starts without a queue that it can trust
 * lets nobody into those until the waiting have come back with their tokens; others are open at once.
 *
 * "Of late" is to be as long as the place of a hidden tab is kept (`QUEUE_HIDDEN_GRACE_MS`). A region that is
 * paused without need opens half a minute late, once; one that is open too early lets newcomers pass those who
 * waited.
 */
import type { Clock } from "../../shared/clock.ts";
import { RegionId } from "../../shared/ids.ts";
import type { Sql } from "../db/database.ts";

export interface WaitingRecordDeps {
  readonly database: Sql;
  readonly clock: Pick<Clock, "nowMs">;
}

export class WaitingRecord {
  readonly #database: Sql;
  readonly #clock: Pick<Clock, "nowMs">;

  constructor({ database, clock }: WaitingRecordDeps) {
    this.#database = database;
    this.#clock = clock;
  }

  /** Players wait for these regions now. */
  async note(regionIds: readonly RegionId[]): Promise<void> {
    // In one order, so that two cores don't wait for each other.
    await this.#database.run(
      `insert into waiting_rooms (region_id, waited_at)
       select region_id, $2 from unnest($1::text[]) as region_id order by region_id
       on conflict (region_id) do update set waited_at = excluded.waited_at`,
      [[...regionIds], new Date(this.#clock.nowMs())],
    );
  }

  /** Regions for which somebody waited then or later. @param atMs ms since 1970 */
  async waitedSince(atMs: number): Promise<RegionId[]> {
    const rows = await this.#database.rows<{ region_id: string }>(
      "select region_id from waiting_rooms where waited_at >= $1 order by region_id",
      [new Date(atMs)],
    );
    return rows.map(({ region_id }) => RegionId.parse(region_id));
  }

  /** When anybody was last known to wait, ms since 1970; undefined for never. */
  async lastWaitedMs(): Promise<number | undefined> {
    const [row] = await this.#database.rows<{ last: Date | null }>(
      "select max(waited_at) as last from waiting_rooms",
    );
    return row?.last?.getTime();
  }
}
