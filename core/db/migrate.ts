/**
 * Brings the schema up to date: numbered files in `migrations/`, append-only, each in a transaction,
 * under one advisory lock, so that processes that start together don't collide.
 *
 * A file starts with `-- compatible_from: N`: the oldest binary (by the newest migration it knows) that
 * still works on the schema after it. A binary meets a newer schema when it is rolled back: it runs on
 * one whose floor it reaches, and refuses one above it. A file that changed after it was applied is
 * refused as well.
 *
 * Cores of the former release serve meanwhile, and whoever wants a table queues behind a migration that waits for
 * it. So a migration gives its wait up after `TABLE_LOCK_MS`, lets the others through, and tries again. A file with
 * the line `-- transaction: none` is one statement outside of a transaction that may be repeated after a failure, for
 * `create index concurrently if not exists …`. What else a file may do is checked by `npm run upgrade-check`.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import type { Logger } from "pino";
import { type Clock, sleep, systemClock } from "../../shared/clock.ts";
import { isFailure } from "../../shared/errors.ts";
import { databaseFailure } from "./failures.ts";

export interface Migration {
  /** From 1, without gaps. */
  readonly version: number;
  readonly name: string;
  readonly sql: string;
  readonly compatibleFrom: number;
  /** Whether it can't be in a transaction. */
  readonly alone?: boolean;
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
/** For the turn of this process, and for what a migration needs locked. */
const LOCK_TIMEOUT_MS = 60_000;
const LOCK_POLL_MS = 100;
/** The longest for which players' statements wait behind a migration that waits for a table. */
const TABLE_LOCK_MS = 500;
const STATEMENT_TIMEOUT_MS = 120_000;
/** Of one outside of a transaction: it builds the index of a large table, and nobody waits for it. */
const ALONE_TIMEOUT_MS = 3_600_000;
/** A lock that was not got in time, and a deadlock. */
const NOT_NOW_STATES: readonly unknown[] = ["55P03", "40P01"];
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
    const alone = /^-- transaction: none$/m.test(sql);
    return { version, name: file, sql, compatibleFrom, alone };
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
  readonly clock?: Clock;
}): Promise<void> {
  const { url, migrations, log, clock = systemClock } = options;
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
    await takeTurn(client, clock);
    const missing = planMigrations(migrations, await readApplied(client));
    for (const migration of missing) {
      if (migration.alone) await applyAlone(client, migration);
      else await applyPatiently(client, migration, { log, clock });
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

/**
 * Asks again and again: whoever waits for the lock inside a statement is waited for by an index that is built
 * concurrently, and both would wait for ever.
 */
async function takeTurn(client: pg.Client, clock: Clock): Promise<void> {
  const endMs = clock.monotonicMs() + LOCK_TIMEOUT_MS;
  for (;;) {
    const { rows } = await client.query<{ got: boolean }>(
      "select pg_try_advisory_lock($1) as got",
      [LOCK_KEY],
    );
    if (rows[0]?.got) return;
    if (clock.monotonicMs() >= endMs) {
      throw new SchemaError(`another process migrates the database for ${LOCK_TIMEOUT_MS} ms`);
    }
    await sleep(clock, LOCK_POLL_MS);
  }
}

async function applyPatiently(
  client: pg.Client,
  migration: Migration,
  { log, clock }: { readonly log: Logger; readonly clock: Clock },
): Promise<void> {
  const endMs = clock.monotonicMs() + LOCK_TIMEOUT_MS;
  for (;;) {
    try {
      return await apply(client, migration);
    } catch (error) {
      if (!isNotNow(error) || clock.monotonicMs() >= endMs) throw schemaError(migration, error);
      await client.query("rollback");
      log.warn(
        { migration: migration.name, runbook: "upgrade" },
        "a migration waits for a table that is in use",
      );
      // Whoever queued behind it goes first.
      await sleep(clock, TABLE_LOCK_MS);
    }
  }
}

/** One that fails is undone when the caller ends the session. */
async function apply(client: pg.Client, migration: Migration): Promise<void> {
  await client.query("begin");
  await client.query(`set local lock_timeout = ${TABLE_LOCK_MS}`);
  await queryPatiently(client, migration.sql, STATEMENT_TIMEOUT_MS);
  await note(client, migration);
  await client.query("commit");
}

async function applyAlone(client: pg.Client, migration: Migration): Promise<void> {
  try {
    await client.query(`set statement_timeout = ${ALONE_TIMEOUT_MS}`);
    await dropInvalidIndexes(client);
    await queryPatiently(client, migration.sql, ALONE_TIMEOUT_MS);
    await client.query(`set statement_timeout = ${STATEMENT_TIMEOUT_MS}`);
    await note(client, migration);
  } catch (error) {
    throw schemaError(migration, error);
  }
}

/** What an index that was being built leaves when that fails: it is of no use, and its name is taken. */
async function dropInvalidIndexes(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `select format('%I.%I', relnamespace::regnamespace, relname) as name
     from pg_index join pg_class on pg_class.oid = indexrelid
     where not indisvalid and relnamespace = 'meridian'::regnamespace`,
  );
  for (const { name } of rows) await client.query(`drop index concurrently if exists ${name}`);
}

async function note(client: pg.Client, migration: Migration): Promise<void> {
  await client.query(
    `insert into schema_migrations (version, name, checksum, compatible_from)
     values ($1, $2, $3, $4)`,
    [migration.version, migration.name, checksumOf(migration), migration.compatibleFrom],
  );
}

function isNotNow(error: unknown): boolean {
  return error instanceof Error && "code" in error && NOT_NOW_STATES.includes(error.code);
}

/** As it is when the database went away: that is no fault of the migration, and tried again. */
function schemaError(migration: Migration, cause: unknown): unknown {
  if (isFailure(databaseFailure(cause), "unavailable")) return cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new SchemaError(`migration ${migration.name} failed: ${why}`, { cause });
}

/** A statement that the server itself ends after `timeoutMs`. */
async function queryPatiently(client: pg.Client, text: string, timeoutMs: number): Promise<void> {
  // `query_timeout` of one statement is known to `pg`, but not to its types.
  const query: pg.QueryConfig & { query_timeout: number } = {
    text,
    query_timeout: timeoutMs + GONE_MARGIN_MS,
  };
  await client.query(query);
}

function checksumOf(migration: Migration): string {
  return createHash("sha256").update(migration.sql).digest("hex");
}
