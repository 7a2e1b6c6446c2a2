/**
 * PostgreSQL behind one name: a bounded pool, a deadline on every statement, failures of the world
 * as typed errors.
 *
 * The pool holds `connectionsMax` connections; at most `WAITING_MAX` callers wait for one, the next is
 * refused with `unavailable` at once. While the database can't be reached all are (`reachability.ts`). A connection on which a statement timed out is closed, never
 * given back: the server may still be busy with it.
 *
 * All work is done as the role `meridian_core`, which can't change tables; only migrations connect as
 * the owner. A role is a boundary only where the login behind it has no more rights than it has: `set
 * role none` gives those back. So work and migrations have URLs of their own, and a start whose working
 * login could become the owner says so.
 */
import pg from "pg";
import type { Logger } from "pino";
import { type Clock, sleep } from "../../shared/clock.ts";
import { isFailure, MeridianError } from "../../shared/errors.ts";
import type { Part } from "../../shared/lifecycle.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import { checkSchema } from "./check-schema.ts";
import { databaseFailure, isGuardRefusal, leavesConnectionBroken } from "./failures.ts";
import { FirstFailure } from "./first-failure.ts";
import { LineageWatch } from "./lineage-watch.ts";
import { type Migration, migrate } from "./migrate.ts";
import { gaugePool } from "./pool-gauge.ts";
import { Reachability } from "./reachability.ts";
import { onlyReads, Statements } from "./statements.ts";
import { typeParserOf } from "./type-parsers.ts";

/** More than all caps of routes let in together (`core/request-limits.ts`): none of them is to fill it for the others. */
const WAITING_MAX = 2_048;
const CONNECT_TIMEOUT_MS = 2_000;
const STATEMENT_TIMEOUT_MS = 5_000;
/** Longer than the server's own, so that this one only ends calls to a server that is gone. */
const QUERY_TIMEOUT_MS = 6_000;
const RETRY_PERIOD_MS = 1_000;
/** As many as a core uses in ordinary times; the rest come with a crowd. */
const WARM_CONNECTIONS = 4;

/** Runs statements, one at a time, or many as a transaction. */
export interface Sql {
  /** The rows that a statement gives. */
  rows<Row extends pg.QueryResultRow>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** How many rows a statement touched. */
  run(text: string, values?: readonly unknown[]): Promise<number>;
}

/** Also runs transactions: the database, or a share of its connections. */
export interface Connections extends Sql {
  /** Commits what `work` did when it resolves, and undoes it when it throws. */
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
}

/** Inside a transaction; a function that takes this must not be called outside of one. */
export interface Tx extends Sql {
  readonly inTransaction: true;
}

/** A statement that refuses, at the end of every transaction, what this process must not commit any more. */
export interface CommitGuard {
  readonly text: string;
  readonly values: readonly unknown[];
  /** Told when it did. */
  readonly onRefused: () => void;
}

export interface DatabaseOptions {
  /** For all work. */
  readonly url: string;
  /** For migrations: as the owner of the schema. Without it somebody else migrates, and a start waits for that. */
  readonly ownerUrl?: string | undefined;
  readonly connectionsMax: number;
  /** How long a start waits for a database that can't be reached, ms. */
  readonly startDeadlineMs: number;
  readonly migrations: readonly Migration[];
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class Database implements Connections, Part {
  readonly name = "database";
  /** Resolves, with why, when the database goes on elsewhere: this process must end, for what it knows may be wrong. */
  readonly moved: Promise<string>;
  readonly #lineage: LineageWatch;
  readonly #options: DatabaseOptions;
  readonly #pool: pg.Pool;
  readonly #statements = new Statements();
  readonly #failures: Counter<"kind">;
  readonly #reachability: Reachability;
  #migrated = false;
  #guard: CommitGuard | undefined;

  constructor(options: DatabaseOptions) {
    const { log, metrics } = options;
    this.#options = options;
    this.#reachability = new Reachability(options);
    this.#lineage = new LineageWatch(log);
    this.moved = this.#lineage.moved;
    this.#failures = new Counter({
      name: "meridian_db_failures_total",
      help: "Statements and connections that failed, by kind.",
      labelNames: ["kind"],
      registers: [metrics],
    });
    const pool = new pg.Pool({
      connectionString: options.url,
      application_name: "meridian-core",
      max: options.connectionsMax,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      query_timeout: QUERY_TIMEOUT_MS,
      idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
      keepAlive: true,
      // Statements of a transaction that don't need each other's results are sent together.
      pipeline: true,
      options: "-c role=meridian_core -c search_path=meridian",
      types: { getTypeParser: typeParserOf },
      onConnect: (client) => this.greet(client),
    });
    // The pool listens only while a connection is idle. One that is lost in use tells so twice: to its
    // statement, which fails, and by this event, which would end the process if nobody listened.
    pool.on("connect", (client) => {
      client.on("error", () => this.#failures.inc({ kind: "connection_lost" }));
    });
    pool.on("error", (err) => {
      log.warn({ err, runbook: "core-database" }, "an idle database connection was lost");
    });
    this.#pool = pool;
    gaugePool(pool, metrics);
  }

  /** Waits for the database, bounded, and brings its schema up to date, or sees that it is. */
  async start(): Promise<void> {
    const { clock, log, startDeadlineMs, ownerUrl, migrations } = this.#options;
    const startMs = clock.monotonicMs();
    for (;;) {
      try {
        if (ownerUrl === undefined) await checkSchema(this, migrations);
        else await migrate({ url: ownerUrl, migrations, log });
        await this.#withReachableClient((client) => this.#lineage.check(client, false));
        this.#migrated = true;
        await this.#checkLogin();
        return;
      } catch (error) {
        const failure = databaseFailure(error);
        if (!isFailure(failure)) throw error;
        const waitedMs = Math.round(clock.monotonicMs() - startMs);
        const cause = error instanceof Error ? error.message || error.name : String(error);
        if (waitedMs >= startDeadlineMs) {
          throw new Error(`no database within ${startDeadlineMs} ms (DATABASE_URL): ${cause}`, {
            cause: error,
          });
        }
        log.warn({ cause, waitedMs, runbook: "core-database" }, "waiting for the database");
        await sleep(clock, RETRY_PERIOD_MS);
      }
    }
  }

  /** Opens connections, so that the first who come wait for none; what can't be opened is for later. */
  async warmUp(): Promise<void> {
    const count = Math.min(WARM_CONNECTIONS, this.#options.connectionsMax);
    const all = Array.from({ length: count }, () => this.#pool.connect());
    for (const opened of await Promise.allSettled(all)) {
      if (opened.status === "fulfilled") opened.value.release();
    }
  }

  async stop(): Promise<void> {
    await this.#pool.end();
  }

  /**
   * Each connection to this database is to be greeted before its first statement, also those of other pools.
   * @throws {MeridianError} `unavailable` when the database goes on elsewhere
   */
  async greet(client: pg.ClientBase): Promise<void> {
    if (this.#migrated) await this.#lineage.check(client, this.#guard !== undefined);
  }

  get migrated(): boolean {
    return this.#migrated;
  }

  /** It has answered somebody else: calls are made again, if they were given up. */
  noteAnswer(): void {
    this.#reachability.answered();
  }

  /** From now on everything that changes rows ends with this statement before it is committed. */
  guardCommits(guard: CommitGuard): void {
    this.#guard = guard;
  }

  /** Whether the database answers now, whatever it did a moment ago. */
  async ping(): Promise<boolean> {
    try {
      await this.#withReachableClient((client) => client.query("select 1"));
      return true;
    } catch (error) {
      if (isFailure(error)) return false;
      throw error;
    }
  }

  rows<Row extends pg.QueryResultRow>(
    text: string,
    values: readonly unknown[] = [],
  ): Promise<Row[]> {
    return this.#withClient(async (client) => (await this.#one<Row>(client, text, values)).rows);
  }

  run(text: string, values: readonly unknown[] = []): Promise<number> {
    return this.#withClient(
      async (client) => (await this.#one(client, text, values)).rowCount ?? 0,
    );
  }

  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#withClient(async (client, markBroken) => {
      const failed = new FirstFailure();
      // Not waited for: what follows in the transaction fails when this does.
      client.query("begin").catch(failed.note);
      try {
        const result = await work(transactionOn(client, this.#statements, failed));
        await this.#commit(client, failed);
        return result;
      } catch (thrown) {
        const error = failed.behind(thrown);
        // A connection that can't undo is closed, which undoes as well. The caller is told why the
        // work failed, not that the connection was then lost.
        if (!leavesConnectionBroken(error)) await client.query("rollback").catch(markBroken);
        throw error;
      }
    });
  }

  /** A statement of its own. One that changes rows is a transaction where commits are guarded, sent as a whole. */
  async #one<Row extends pg.QueryResultRow>(
    client: pg.PoolClient,
    text: string,
    values: readonly unknown[],
  ): Promise<pg.QueryResult<Row>> {
    const query = this.#statements.query(text, values);
    if (this.#guard === undefined || onlyReads(text)) return await client.query<Row>(query);
    const failed = new FirstFailure();
    client.query("begin").catch(failed.note);
    const result = client.query<Row>(query);
    result.catch(failed.note);
    try {
      await this.#commit(client, failed);
      return await result;
    } catch (thrown) {
      throw failed.behind(thrown);
    }
  }

  async #commit(client: pg.PoolClient, failed: FirstFailure): Promise<void> {
    const guard = this.#guard;
    const guarded = guard && client.query(this.#statements.query(guard.text, guard.values));
    guarded?.catch(failed.note);
    await client.query("commit");
    // The commit of a transaction that has failed undoes it, and says nothing.
    await guarded;
  }

  async #checkLogin(): Promise<void> {
    const [row] = await this.rows<{ owns: boolean }>(
      `select pg_has_role(session_user, nspowner, 'member') as owns
       from pg_namespace where nspname = 'meridian'`,
    );
    if (!row?.owns) return;
    this.#options.log.warn(
      { runbook: "core-database" },
      "the database's working login can become the owner: set DATABASE_OWNER_URL",
    );
  }

  async #withClient<T>(
    work: (client: pg.PoolClient, markBroken: () => void) => Promise<T>,
  ): Promise<T> {
    try {
      this.#reachability.require();
    } catch (error) {
      this.#failures.inc({ kind: "given_up" });
      throw error;
    }
    return await this.#withReachableClient(work);
  }

  async #withReachableClient<T>(
    work: (client: pg.PoolClient, markBroken: () => void) => Promise<T>,
  ): Promise<T> {
    if (this.#pool.waitingCount >= WAITING_MAX) {
      this.#failures.inc({ kind: "queue_full" });
      throw new MeridianError("unavailable", {
        message: "Too many calls wait for the database.",
        retryAfterMs: RETRY_PERIOD_MS,
      });
    }
    let client: pg.PoolClient | undefined;
    let broken = false;
    const markBroken = () => {
      broken = true;
      this.#failures.inc({ kind: "rollback_failed" });
    };
    try {
      client = await this.#pool.connect();
      const result = await work(client, markBroken);
      client.release();
      this.#reachability.answered();
      return result;
    } catch (error) {
      this.#reachability.failed(error);
      client?.release(broken || leavesConnectionBroken(error));
      throw this.#counted(databaseFailure(error), error);
    }
  }

  #counted(failure: unknown, original: unknown): unknown {
    if (failure === original) return failure;
    if (isGuardRefusal(original)) this.#guard?.onRefused();
    if (isFailure(failure)) this.#failures.inc({ kind: failure.kind });
    return failure;
  }
}

function transactionOn(client: pg.PoolClient, statements: Statements, failed: FirstFailure): Tx {
  const query = <Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []) => {
    const sent = client.query<Row>(statements.query(text, values));
    sent.catch(failed.note);
    return sent;
  };
  return {
    inTransaction: true,
    rows: async <Row extends pg.QueryResultRow>(text: string, values?: readonly unknown[]) =>
      (await query<Row>(text, values)).rows,
    run: async (text, values) => (await query(text, values)).rowCount ?? 0,
  };
}
