/**
 * Brings the schema up to date: numbered files in `migrations/`, append-only, each in a transaction,
 * under one advisory lock, so that processes that start together don't collide.
 *
 * A file starts with `-- compatible_from: N`: the oldest binary (by the newest migration it knows) that
 * still works on the schema after it. A binary meets a newer schema when it is rolled back: it runs on
 * one whose floor it reaches, and refuses one above it. A file that changed after it was applied is
 * refused as well.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import type { Logger } from "pino";
import { isFailure } from "../../shared/errors.ts";
import { databaseFailure } from "./failures.ts";

export interface Migration {
  /** From 1, without gaps. */
  readonly version: number;
  readonly name: string;
  readonly sql: string;
  readonly compatibleFrom: number;
}

export interface Applied {
  readonly version: number;
  readonly checksum: string;
  readonly compatible_from: number;
}

/** The schema can't be used by this binary; the message says what to do. */
export class SchemaError extends Error {
  override readonly name = "SchemaError";
}

const LOCK_KEY = 7_300_001;
const CONNECT_TIMEOUT_MS = 2_000;
const LOCK_TIMEOUT_MS = 60_000;
const STATEMENT_TIMEOUT_MS = 120_000;
/** For our own small statements; the lock and the migrations may take longer. */
const QUERY_TIMEOUT_MS = 5_000;
/** A server that lives ends a statement itself; this much later it is taken for gone. */
const GONE_MARGIN_MS = 1_000;
const MIGRATIONS_DIR = join(import.meta.dirname, "migrations");

/** Reads the migrations this binary knows, in order. */
export function readMigrations(dir: string = MIGRATIONS_DIR): Migration[] {
  const files = readdirSync(dir)
    .filter((file) => file.endsWith(".sql"))
    .sort();
  return files.map((file, index) => {
    const sql = readFileSync(join(dir, file), "utf8");
    const version = Number(/^(\d{4})_[a-z0-9_]+\.sql$/.exec(file)?.[1]);
    const compatibleFrom = Number(/^-- compatible_from: (\d+)$/m.exec(sql)?.[1]);
    if (version !== index + 1 || !(compatibleFrom >= 1 && compatibleFrom <= version)) {
      throw new SchemaError(`migration ${file} has a wrong number or no compatible_from line`);
    }
    return { version, name: file, sql, compatibleFrom };
  });
}

/**
 * Decides what is to be applied.
 * @throws {SchemaError} when the schema is too new for this binary, or a file was changed
 */
export function planMigrations(
  known: readonly Migration[],
  applied: readonly Applied[],
): readonly Migration[] {
  const byVersion = new Map(applied.map((row) => [row.version, row]));
  for (const migration of known) {
    const row = byVersion.get(migration.version);
    if (row && row.checksum !== checksumOf(migration)) {
      throw new SchemaError(`migration ${migration.name} was changed after it was applied`);
    }
  }
  const newest = known.at(-1)?.version ?? 0;
  const floor = Math.max(0, ...applied.map((row) => row.compatible_from));
  if (floor > newest) {
    throw new SchemaError(
      `the schema needs a core that knows migration ${floor}; this one knows ${newest}: update it`,
    );
  }
  return known.filter((migration) => !byVersion.has(migration.version));
}

/**
 * Applies what is missing, as the user of `url`.
 * @throws {SchemaError} when this binary can't use the schema; errors of `pg` when it can't be reached
 */
export async function migrate(options: {
  readonly url: string;
  readonly migrations: readonly Migration[];
  readonly log: Logger;
}): Promise<void> {
  const { url, migrations, log } = options;
  const client = new pg.Client({
    connectionString: url,
    application_name: "meridian-migrate",
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    lock_timeout: LOCK_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    keepAlive: true,
  });
  // A connection that breaks between statements is reported by the next statement.
  client.on("error", (err) => log.warn({ err }, "the connection for migrations was lost"));
  try {
    await client.connect();
    // A server that hangs is found out by this, and not only at the end of the long wait for the lock.
    await client.query("select 1");
    await queryPatiently(client, "select pg_advisory_lock($1)", LOCK_TIMEOUT_MS, [LOCK_KEY]);
    const missing = planMigrations(migrations, await readApplied(client));
    for (const migration of missing) {
      await apply(client, migration);
      log.info({ migration: migration.name }, "migrated the database");
    }
  } finally {
    // Ends the session, and with it the advisory lock.
    await client.end();
  }
}

async function readApplied(client: pg.Client): Promise<Applied[]> {
  await client.query("create schema if not exists meridian");
  await client.query("set search_path = meridian");
  await client.query(`
    create table if not exists schema_migrations (
      version integer primary key,
      name text not null,
      checksum text not null,
      compatible_from integer not null,
      applied_at timestamptz not null default now()
    )`);
  const result = await client.query<Applied>(
    "select version, checksum, compatible_from from schema_migrations order by version",
  );
  return result.rows;
}

/** One that fails is undone when the caller ends the session. */
async function apply(client: pg.Client, migration: Migration): Promise<void> {
  await client.query("begin");
  try {
    await queryPatiently(client, migration.sql, STATEMENT_TIMEOUT_MS);
    await client.query(
      `insert into schema_migrations (version, name, checksum, compatible_from)
       values ($1, $2, $3, $4)`,
      [migration.version, migration.name, checksumOf(migration), migration.compatibleFrom],
    );
    await client.query("commit");
  } catch (cause) {
    // The database went away: no fault of the migration, and tried again.
    if (isFailure(databaseFailure(cause), "unavailable")) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SchemaError(`migration ${migration.name} failed: ${why}`, { cause });
  }
}

/** A statement that the server itself ends after `timeoutMs`. */
async function queryPatiently(
  client: pg.Client,
  text: string,
  timeoutMs: number,
  values?: unknown[],
): Promise<void> {
  // `query_timeout` of one statement is known to `pg`, but not to its types.
  const query: pg.QueryConfig & { query_timeout: number } = {
    text,
    query_timeout: timeoutMs + GONE_MARGIN_MS,
  };
  await client.query(values ? { ...query, values } : query);
}

function checksumOf(migration: Migration): string {
  return createHash("sha256").update(migration.sql).digest("hex");
}
