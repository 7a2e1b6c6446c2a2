/**
 * Reads that may be a little old, from the database's standby: what scans a lot takes nothing from those who play.
 * Who asks here says by it that an answer of some seconds ago is as good. Never ownership, wallets, sessions, or
 * whatever is decided or cached by: a test holds the list of who asks.
 *
 * How old the standby is shows in when the last transaction that it has replayed was committed; with a leader that
 * renews its lease each second there is always a young one. One that is older than `lagMaxMs`, fails, or is not
 * there is passed by, and the primary is asked.
 */
import pg from "pg";
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { isFailure } from "../../shared/errors.ts";
import type { Part } from "../../shared/lifecycle.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import type { Connections, Sql } from "./database.ts";
import { databaseFailure } from "./failures.ts";
import { typeParserOf } from "./type-parsers.ts";

/** What may be done with them. */
export type Reads = Pick<Sql, "rows">;

export interface StaleReads {
  /**
   * Reads of one moment, which was `behindMs` ago at most. `work` may be called a second time, when the standby
   * fails half-way.
   */
  oneMoment<T>(work: (reads: Reads, behindMs: number) => Promise<T>): Promise<T>;
}

export interface StandbyReadsOptions {
  /** Undefined: all are of the primary. */
  readonly url: string | undefined;
  readonly lagMaxMs: number;
  readonly primary: Connections;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

const CONNECTIONS_MAX = 2;
const CONNECT_TIMEOUT_MS = 1_000;
const STATEMENT_TIMEOUT_MS = 5_000;
const QUERY_TIMEOUT_MS = 6_000;
/** A standby that failed is left alone for so long. */
const REST_MS = 10_000;
const BEGIN = "set transaction isolation level repeatable read, read only";
const BEHIND = `select case when pg_is_in_recovery()
  then extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000
  else 0 end::float8 as "behindMs"`;

export class StandbyReads implements StaleReads, Part {
  readonly name = "stale reads";
  readonly #options: StandbyReadsOptions;
  readonly #pool: pg.Pool | undefined;
  readonly #reads: Counter<"from">;
  #restsUntilMs = 0;

  constructor(options: StandbyReadsOptions) {
    const { url, log, metrics } = options;
    this.#options = options;
    this.#pool = url === undefined ? undefined : poolOf(url, log);
    this.#reads = new Counter({
      name: "meridian_db_stale_reads_total",
      help: "Reads that may be stale: from the standby, or from the primary, because there is none (primary), it lags, it failed, or rests after that.",
      labelNames: ["from"],
      registers: [metrics],
    });
  }

  async stop(): Promise<void> {
    await this.#pool?.end();
  }

  async oneMoment<T>(work: (reads: Reads, behindMs: number) => Promise<T>): Promise<T> {
    const { primary, clock, log } = this.#options;
    const why = await this.#tryStandby(work).catch((error: unknown) => {
      const err = databaseFailure(error);
      if (!isFailure(err)) throw error;
      this.#restsUntilMs = clock.monotonicMs() + REST_MS;
      const about = { err, runbook: "core-database-standby-lost" };
      log.warn(about, "the database's standby can't be read: the primary is");
      return "failed" as const;
    });
    if (typeof why === "object") return why.result;
    this.#reads.inc({ from: why });
    return await primaryReads(primary).oneMoment(work);
  }

  /** What `work` came to, or why it was not asked. */
  async #tryStandby<T>(
    work: (reads: Reads, behindMs: number) => Promise<T>,
  ): Promise<{ readonly result: T } | "primary" | "resting" | "lag"> {
    const { clock, lagMaxMs } = this.#options;
    if (!this.#pool) return "primary";
    if (clock.monotonicMs() < this.#restsUntilMs) return "resting";
    const client = await this.#pool.connect();
    let broken: unknown;
    try {
      await client.query("begin");
      await client.query(BEGIN);
      const { rows } = await client.query<{ behindMs: number | null }>(BEHIND);
      const behindMs = rows[0]?.behindMs ?? Number.POSITIVE_INFINITY;
      if (behindMs > lagMaxMs) return "lag";
      const result = await work(readsOn(client), behindMs);
      this.#reads.inc({ from: "standby" });
      return { result };
    } catch (error) {
      broken = error;
      throw error;
    } finally {
      // It only reads: where nothing can be undone, closing does it.
      await client.query("rollback").catch((error: unknown) => {
        broken ??= error;
      });
      client.release(broken !== undefined);
    }
  }
}

/** The same of the primary. */
export function primaryReads(primary: Connections): StaleReads {
  return {
    oneMoment: (work) =>
      primary.transaction(async (tx) => {
        await tx.run(BEGIN);
        return await work(tx, 0);
      }),
  };
}

function readsOn(client: pg.PoolClient): Reads {
  return {
    rows: async <Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []) =>
      (await client.query<Row>(text, [...values])).rows,
  };
}

function poolOf(url: string, log: Logger): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: "meridian-core-reads",
    max: CONNECTIONS_MAX,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    keepAlive: true,
    options: "-c role=meridian_core -c search_path=meridian",
    types: { getTypeParser: typeParserOf },
  });
  pool.on("connect", (client) => {
    client.on("error", () => {
      // Lost in use: its statement fails and is what tells.
    });
  });
  pool.on("error", (err) => {
    log.warn(
      { err, runbook: "core-database-standby-lost" },
      "a connection to the standby was lost",
    );
  });
  return pool;
}
