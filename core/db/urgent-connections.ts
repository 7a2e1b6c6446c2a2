/**
 * Two connections for what must not wait behind anybody's work: the leader's lease and the look at whether the
 * database answers. With short deadlines, because either is asked again soon.
 */
import pg from "pg";
import type { Logger } from "pino";
import { isFailure } from "../../shared/errors.ts";
import type { Part } from "../../shared/lifecycle.ts";
import type { Connections, Sql, Tx } from "./database.ts";
import { databaseFailure, leavesConnectionBroken } from "./failures.ts";
import { typeParserOf } from "./type-parsers.ts";

const CONNECTIONS_MAX = 2;
const CONNECT_TIMEOUT_MS = 1_000;
const STATEMENT_TIMEOUT_MS = 1_000;
/** Longer than the server's own, so that this one only ends calls to a server that is gone. */
const QUERY_TIMEOUT_MS = 1_500;

export interface UrgentConnectionsOptions {
  /** As all work of the core is done. */
  readonly url: string;
  readonly log: Logger;
  /** What each connection begins with. */
  readonly greet: (client: pg.ClientBase) => Promise<void>;
  /** Told of each answer of the database: whoever has given it up need not wait for one of their own. */
  readonly onAnswered: () => void;
}

export class UrgentConnections implements Connections, Part {
  readonly name = "urgent connections";
  readonly #pool: pg.Pool;
  readonly #onAnswered: () => void;

  constructor({ url, log, greet, onAnswered }: UrgentConnectionsOptions) {
    this.#onAnswered = onAnswered;
    this.#pool = new pg.Pool({
      connectionString: url,
      application_name: "meridian-core",
      max: CONNECTIONS_MAX,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      query_timeout: QUERY_TIMEOUT_MS,
      idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
      keepAlive: true,
      options: "-c role=meridian_core -c search_path=meridian",
      types: { getTypeParser: typeParserOf },
      onConnect: greet,
    });
    this.#pool.on("connect", (client) => {
      client.on("error", () => {
        // Lost in use: its statement fails and is what tells.
      });
    });
    this.#pool.on("error", (err) => {
      log.warn({ err, runbook: "core-database" }, "an idle database connection was lost");
    });
  }

  async stop(): Promise<void> {
    await this.#pool.end();
  }

  /** Whether the database answers now, whatever it did a moment ago. */
  async ping(): Promise<boolean> {
    try {
      await this.run("select 1");
      return true;
    } catch (error) {
      if (isFailure(error)) return false;
      throw error;
    }
  }

  rows<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []) {
    return this.#withClient((client) => sqlOn(client).rows<Row>(text, values));
  }

  run(text: string, values: readonly unknown[] = []): Promise<number> {
    return this.#withClient((client) => sqlOn(client).run(text, values));
  }

  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#withClient(async (client) => {
      await client.query("begin");
      try {
        const result = await work({ ...sqlOn(client), inTransaction: true });
        await client.query("commit");
        return result;
      } catch (error) {
        // A connection that is broken is closed, which undoes as well.
        if (!leavesConnectionBroken(error)) await client.query("rollback");
        throw error;
      }
    });
  }

  async #withClient<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    let client: pg.PoolClient | undefined;
    try {
      client = await this.#pool.connect();
      const result = await work(client);
      client.release();
      this.#onAnswered();
      return result;
    } catch (error) {
      client?.release(true);
      throw databaseFailure(error);
    }
  }
}

function sqlOn(client: pg.PoolClient): Sql {
  return {
    rows: async <Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []) =>
      (await client.query<Row>(text, [...values])).rows,
    run: async (text, values = []) => (await client.query(text, [...values])).rowCount ?? 0,
  };
}
