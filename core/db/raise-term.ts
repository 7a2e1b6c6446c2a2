/**
 * `node core/db/raise-term.ts`, after the database was restored by other means than `npm run restore` and before a
 * core serves on it. Works as the owner of the schema (`DATABASE_OWNER_URL`, or else `DATABASE_URL`).
 */
import pg from "pg";
import { ConfigError, readConfig } from "../../shared/config.ts";
import { coreSettings } from "../config.ts";
import { type RaisedTerm, raiseTerm } from "./term.ts";

const CONNECT_TIMEOUT_MS = 5_000;
const STATEMENT_TIMEOUT_MS = 10_000;

try {
  const { DATABASE_URL, DATABASE_OWNER_URL } = coreSettings;
  const config = readConfig({ DATABASE_URL, DATABASE_OWNER_URL }, process.env);
  const { before, term } = await raiseTermOf(config.DATABASE_OWNER_URL ?? config.DATABASE_URL);
  process.stdout.write(`the core's term was ${before} and is ${term}: a core may serve now.\n`);
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`raise-term: ${message}\n`);
  process.exitCode = error instanceof ConfigError ? 2 : 1;
}

/** @throws when a core is connected, or the database can't be reached */
async function raiseTermOf(url: string): Promise<RaisedTerm> {
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
    const raised = await raiseTerm(client);
    if (raised) return raised;
    throw new Error("this database holds no core's term: is it the restored one?");
  } finally {
    await client.end();
  }
}
