/**
 * Deletes rows that nothing needs any more, a bounded number at a time: expired refresh tokens, rooms
 * that ended long ago, players that were made for one session of a stock client.
 */
import type { Logger } from "pino";
import type { Cancel, Clock } from "../../shared/clock.ts";
import type { Part } from "../../shared/lifecycle.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import type { Database, Sql } from "./database.ts";

const PERIOD_MS = 600_000;
const ROWS_MAX = 10_000;
const DAY_MS = 86_400_000;
const ROOMS_KEPT_MS = 7 * DAY_MS;
const EPHEMERAL_KEPT_MS = 7 * DAY_MS;

export interface HousekeepingDeps {
  readonly database: Database;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class Housekeeping implements Part {
  readonly name = "housekeeping";
  readonly #deps: HousekeepingDeps;
  readonly #deleted: Counter<"what">;
  #cancel: Cancel = () => {};
  #running: Promise<void> | undefined;

  constructor(deps: HousekeepingDeps) {
    this.#deps = deps;
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
    this.#cancel();
    await this.#running;
  }

  /** One round. */
  async run(): Promise<void> {
    const { database, clock } = this.#deps;
    const nowMs = clock.nowMs();
    const tokens = await deleteExpiredTokens(database, new Date(nowMs));
    this.#deleted.inc({ what: "refresh_tokens" }, tokens);
    const rooms = await deleteEndedRooms(database, new Date(nowMs - ROOMS_KEPT_MS));
    this.#deleted.inc({ what: "rooms" }, rooms);
    const players = await deleteEphemeral(database, new Date(nowMs - EPHEMERAL_KEPT_MS));
    this.#deleted.inc({ what: "ephemeral_players" }, players);
  }
}

function deleteExpiredTokens(sql: Sql, before: Date): Promise<number> {
  return sql.run(
    `delete from refresh_tokens where token_hash in
       (select token_hash from refresh_tokens where expires_at < $1 limit $2)`,
    [before, ROWS_MAX],
  );
}

function deleteEndedRooms(sql: Sql, before: Date): Promise<number> {
  return sql.run(
    `delete from rooms where room_id in
       (select room_id from rooms where ended_at < $1 limit $2)`,
    [before, ROWS_MAX],
  );
}

/** Those whose last session is as old; their rows in other tables go with them. */
function deleteEphemeral(sql: Sql, before: Date): Promise<number> {
  return sql.run(
    `delete from players where id in
       (select id from players p where ephemeral and created_at < $1
          and not exists (select from sessions where player_id = p.id and updated_at >= $1)
        limit $2)`,
    [before, ROWS_MAX],
  );
}
