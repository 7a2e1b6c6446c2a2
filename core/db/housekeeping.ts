/**
 * Deletes rows that nothing needs any more: expired refresh tokens and password
 * resets, changes of players that every core has read, what outlived a ban, rooms that ended long ago,
 * players that were made for one session of a stock client, outboxes that were closed, refused changes that
 * were resolved, openings and fences of long ago.
 *
 * A round deletes in small batches until one is not full, and rests between them, so that players'
 * statements come first. A round is bounded too; one that reaches its bound says so, for rows are then
 * made faster than they are deleted.
 */
import type { Logger } from "pino";
import { type Cancel, type Clock, sleep } from "../../shared/clock.ts";
import type { Part } from "../../shared/lifecycle.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import { OPENINGS_KEPT_MS } from "../../shared/protocol/openings.ts";
import type { Sql } from "./database.ts";

const PERIOD_MS = 600_000;
const DAY_MS = 86_400_000;
const ROOMS_KEPT_MS = 7 * DAY_MS;
/** No node is cut off for longer and then comes back with what it had. */
const FENCES_KEPT_MS = 30 * DAY_MS;
const EPHEMERAL_KEPT_MS = 7 * DAY_MS;
/** Long after the last batch of a closed outbox can arrive: without its row it would count as new. */
const PRODUCERS_KEPT_MS = 30 * DAY_MS;
const REFUSALS_KEPT_MS = 90 * DAY_MS;
/** A core process that has not read for so long begins anew. */
const CHANGES_KEPT_MS = 3_600_000;

export interface HousekeepingLimits {
  /** Most rows of one statement. */
  readonly batchRowsMax: number;
  /** Most statements of one kind in a round. */
  readonly batchesMax: number;
  readonly restMs: number;
}

/**
 * Half a million rows of a kind in ten minutes, above 800 a second. 12,000 rows took 1.4 s on two shared
 * cores, so such a round takes about a minute.
 */
const LIMITS: HousekeepingLimits = { batchRowsMax: 2_000, batchesMax: 250, restMs: 100 };

interface Chore {
  readonly what: string;
  readonly keptMs: number;
  readonly deleteBatch: (sql: Sql, before: Date, rowsMax: number) => Promise<number>;
}

const CHORES: readonly Chore[] = [
  { what: "refresh_tokens", keptMs: 0, deleteBatch: deleteExpiredTokens },
  { what: "password_resets", keptMs: 0, deleteBatch: deleteExpiredResets },
  { what: "barred_identities", keptMs: 0, deleteBatch: deleteEndedBars },
  { what: "fenced_nodes", keptMs: FENCES_KEPT_MS, deleteBatch: deletePastFences },
  { what: "rooms", keptMs: ROOMS_KEPT_MS, deleteBatch: deleteEndedRooms },
  { what: "player_changes", keptMs: CHANGES_KEPT_MS, deleteBatch: deleteReadChanges },
  { what: "ephemeral_players", keptMs: EPHEMERAL_KEPT_MS, deleteBatch: deleteEphemeral },
  { what: "producers", keptMs: PRODUCERS_KEPT_MS, deleteBatch: deleteClosedProducers },
  { what: "openings", keptMs: OPENINGS_KEPT_MS, deleteBatch: deletePastOpenings },
  { what: "refused_changes", keptMs: REFUSALS_KEPT_MS, deleteBatch: deleteResolvedRefusals },
];

export interface HousekeepingDeps {
  readonly database: Sql;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly limits?: HousekeepingLimits;
}

export class Housekeeping implements Part {
  readonly name = "housekeeping";
  readonly #deps: HousekeepingDeps;
  readonly #limits: HousekeepingLimits;
  readonly #deleted: Counter<"what">;
  readonly #behind: Counter<"what">;
  readonly #stopping = new AbortController();
  #cancel: Cancel = () => {};
  #running: Promise<void> | undefined;

  constructor(deps: HousekeepingDeps) {
    this.#deps = deps;
    this.#limits = deps.limits ?? LIMITS;
    this.#behind = new Counter({
      name: "meridian_housekeeping_behind_total",
      help: "Rounds of housekeeping that reached their bound with rows left to delete.",
      labelNames: ["what"],
      registers: [deps.metrics],
    });
    this.#deleted = new Counter({
      name: "meridian_rows_deleted_total",
      help: "Rows that housekeeping deleted.",
      labelNames: ["what"],
      registers: [deps.metrics],
    });
  }

  start(): void {
    this.#cancel = this.#deps.clock.every(PERIOD_MS, () => {
      this.#running ??= this.run()
        .catch((err: unknown) => {
          this.#deps.log.warn({ err, runbook: "core-database" }, "housekeeping failed");
        })
        .finally(() => {
          this.#running = undefined;
        });
    });
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#cancel();
    await this.#running;
  }

  /** One round. */
  async run(): Promise<void> {
    for (const chore of CHORES) await this.#run(chore);
  }

  async #run({ what, keptMs, deleteBatch }: Chore): Promise<void> {
    const { database, clock, log } = this.#deps;
    const { batchRowsMax, batchesMax, restMs } = this.#limits;
    const { signal } = this.#stopping;
    const before = new Date(clock.nowMs() - keptMs);
    for (let batch = 0; batch < batchesMax; batch += 1) {
      if (signal.aborted) return;
      const deleted = await deleteBatch(database, before, batchRowsMax);
      this.#deleted.inc({ what }, deleted);
      if (deleted < batchRowsMax) return;
      await sleep(clock, restMs, signal);
    }
    this.#behind.inc({ what });
    log.warn({ what, runbook: "core-database" }, "housekeeping can't keep up");
  }
}

function deleteExpiredTokens(sql: Sql, before: Date, rowsMax: number): Promise<number> {
  return sql.run(
    `delete from refresh_tokens where token_hash in
       (select token_hash from refresh_tokens where expires_at < $1 limit $2)`,
    [before, rowsMax],
  );
}

function deleteExpiredResets(sql: Sql, before: Date, rowsMax: number): Promise<number> {
  return sql.run(
    `delete from password_resets where token_hash in
       (select token_hash from password_resets where expires_at < $1 limit $2)`,
    [before, rowsMax],
  );
}

function deleteEndedBars(sql: Sql, before: Date, rowsMax: number): Promise<number> {
  return sql.run(
    `delete from barred_identities where identity_mac in
       (select identity_mac from barred_identities where ban_ends_at < $1 limit $2)`,
    [before, rowsMax],
  );
}

function deleteEndedRooms(sql: Sql, before: Date, rowsMax: number): Promise<number> {
  return sql.run(
    `delete from rooms where room_id in
       (select room_id from rooms where ended_at < $1 limit $2)`,
    [before, rowsMax],
  );
}

function deletePastFences(sql: Sql, before: Date, rowsMax: number): Promise<number> {
  return sql.run(
    `delete from fenced_nodes where node_id in
       (select node_id from fenced_nodes where fenced_at < $1 limit $2)`,
    [before, rowsMax],
  );
}

/** The oldest ones, by transaction: time has no index of its own, which each new player would pay for. */
function deleteReadChanges(sql: Sql, before: Date, rowsMax: number): Promise<number> {
  return sql.run(
    `delete from player_changes where (xid, player_id) in
       (select xid, player_id from
          (select xid, player_id, changed_at from player_changes order by xid limit $2) oldest
        where changed_at < $1)`,
    [before, rowsMax],
  );
}

/** Those whose last session is as old; their rows in other tables go with them. */
function deleteEphemeral(sql: Sql, before: Date, rowsMax: number): Promise<number> {
  return sql.run(
    `delete from players where id in
       (select id from players p where ephemeral and created_at < $1
          and not exists (select from sessions where player_id = p.id and updated_at >= $1)
        limit $2)`,
    [before, rowsMax],
  );
}

function deleteClosedProducers(sql: Sql, before: Date, rowsMax: number): Promise<number> {
  return sql.run(
    `delete from producers where producer_id in
       (select producer_id from producers where closed_at < $1 limit $2)`,
    [before, rowsMax],
  );
}

function deletePastOpenings(sql: Sql, before: Date, rowsMax: number): Promise<number> {
  return sql.run(
    `delete from openings where (region_id, scheduled_at) in
       (select region_id, scheduled_at from openings where opens_at < $1 limit $2)`,
    [before, rowsMax],
  );
}

function deleteResolvedRefusals(sql: Sql, before: Date, rowsMax: number): Promise<number> {
  return sql.run(
    `delete from refused_changes where id in
       (select id from refused_changes where resolved_at < $1 limit $2)`,
    [before, rowsMax],
  );
}
