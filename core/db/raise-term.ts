/**
 * `node core/db/raise-term.ts`, after the database was restored from a backup and before a core serves on it:
 * raises the core's term, so that no epoch is granted twice, and nodes send again what was committed after
 * the backup. Works as the owner of the schema (`DATABASE_OWNER_URL`, or else `DATABASE_URL`).
 *
 * The new term is the time in seconds, or one more than the former if that is later: whoever restores one
 * backup twice must not get the same term twice.
 */
import pg from "pg";
import { ConfigError, readConfig } from "../../shared/config.ts";
import { coreSettings } from "../config.ts";

const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 10_000;

try {
  const { DATABASE_URL, DATABASE_OWNER_URL } = coreSettings;
  const config = readConfig({ DATABASE_URL, DATABASE_OWNER_URL }, process.env);
  const { before, term } = await raiseTerm(config.DATABASE_OWNER_URL ?? config.DATABASE_URL);
  process.stdout.write(`the core's term was ${before} and is ${term}: a core may serve now.\n`);
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`raise-term: ${message}\n`);
  process.exitCode = error instanceof ConfigError ? 2 : 1;
}

/** @throws when a core is connected, or the database can't be reached */
async function raiseTerm(url: string): Promise<{ before: number; term: number }> {
  const client = new pg.Client({
    connectionString: url,
    application_name: "meridian-raise-term",
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
  });
  await client.connect();
  try {
    const cores = await client.query<{ count: string }>(
      `select count(*) from pg_stat_activity
       where datname = current_database() and application_name = 'meridian-core'`,
    );
    if (Number(cores.rows[0]?.count) > 0) {
      throw new Error("a core is connected to this database: stop it first");
    }
    const raised = await client.query<{ before: string; term: string }>(
      `update meridian.core_term as now
       set term = greatest(now.term + 1, extract(epoch from clock_timestamp())::bigint)
       from meridian.core_term as old returning old.term as before, now.term`,
    );
    const [row] = raised.rows;
    if (!row) throw new Error("this database holds no core's term: is it the restored one?");
    return { before: Number(row.before), term: Number(row.term) };
  } finally {
    await client.end();
  }
}
