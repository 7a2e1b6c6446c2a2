/**
 * Whether the migrations since the previous release leave its binaries working: by effect, on a real PostgreSQL. Each
 * may only expand the schema. What N−1 still uses is taken away a release later, by a file that says of what it is the
 * second half:
 *
 *     -- contract_of: 18          what migration 18, which is in the previous release, has replaced is taken away
 *     -- small: regions, nodes    these tables have few rows, so that a lock for as long as all of them take is short
 */
import pg from "pg";
import { type Migration, migrate } from "../../core/db/migrate.ts";
import { createLog } from "../../shared/log.ts";
import { readCatalogue } from "./catalogue.ts";
import { type Migrated, type SchemaChange, schemaChanges } from "./schema-changes.ts";

export interface MigrationsCheck {
  /** An empty database, as its owner. */
  readonly url: string;
  readonly previous: readonly Migration[];
  readonly next: readonly Migration[];
}

const STATEMENT_TIMEOUT_MS = 60_000;
const WRITTEN = `select distinct relname as name from pg_locks join pg_class on pg_class.oid = relation
  where pid = pg_backend_pid() and mode = 'RowExclusiveLock' and relkind in ('r', 'p')`;

/** @returns what is wrong, a line each, with the name of the migration */
export async function checkMigrations({ url, previous, next }: MigrationsCheck): Promise<string[]> {
  const changed = changedReleased(previous, next);
  if (changed.length > 0) return changed;
  await migrate({ url, migrations: previous, log: createLog("check", "silent") });
  const client = new pg.Client({
    connectionString: url,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    query_timeout: STATEMENT_TIMEOUT_MS,
  });
  await client.connect();
  try {
    await client.query("set search_path = meridian");
    const problems: string[] = [];
    for (const migration of next.slice(previous.length)) {
      const found = await problemsOf(client, migration, previous.length);
      problems.push(...found.map((text) => `${migration.name}: ${text}`));
    }
    return problems;
  } finally {
    await client.end();
  }
}

/**
 * Applies it.
 * @param released the newest migration that the previous release knows
 * @param end of its transaction, if it is in one
 */
export async function problemsOf(
  client: pg.ClientBase,
  migration: Migration,
  released: number,
  end: "commit" | "rollback" = "commit",
): Promise<string[]> {
  const changes = schemaChanges(await applied(client, migration, end));
  return [...floorProblems(migration, released), ...objections(migration, changes, released)];
}

/** What was released is applied somewhere already. Pure. */
export function changedReleased(
  previous: readonly Migration[],
  next: readonly Migration[],
): string[] {
  return previous.flatMap(({ name, sql }, index) => {
    const now = next[index];
    if (!now) return [`${name}: was released, and is gone`];
    return now.name === name && now.sql === sql ? [] : [`${name}: was released, and was changed`];
  });
}

/** Pure. */
export function floorProblems({ compatibleFrom }: Migration, released: number): string[] {
  if (compatibleFrom <= released) return [];
  return [
    `compatible_from: ${compatibleFrom} refuses the previous release, which knows ${released}`,
  ];
}

/** What of these changes the file has no right to. Pure. */
export function objections(
  { sql }: Pick<Migration, "sql">,
  changes: readonly SchemaChange[],
  released: number,
): string[] {
  const contractOf = marked(sql, "contract_of").map(Number);
  const isContract =
    contractOf.length > 0 && contractOf.every((one) => one >= 1 && one <= released);
  const small = marked(sql, "small");
  const problems = changes.flatMap(({ kind, table, text }) => {
    const allowed = kind === "blocks" ? table !== undefined && small.includes(table) : isContract;
    return allowed ? [] : [text];
  });
  if (contractOf.length > 0 && !isContract) {
    problems.push(
      `contract_of: ${contractOf.join(", ")} is not in the previous release, which knows ${released}`,
    );
  }
  return problems;
}

async function applied(
  client: pg.ClientBase,
  { sql, alone = false }: Migration,
  end: "commit" | "rollback",
): Promise<Migrated> {
  const before = await readCatalogue(client);
  if (alone) {
    await client.query(sql);
    const after = await readCatalogue(client);
    return { before, after, written: new Set(), inTransaction: false };
  }
  await client.query("begin");
  await client.query(sql);
  const { rows } = await client.query<{ name: string }>(WRITTEN);
  const after = await readCatalogue(client);
  await client.query(end);
  const written = new Set(rows.map(({ name }) => name));
  return { before, after, written, inTransaction: true };
}

/** The words behind `-- NAME:` at the beginning of a line. */
function marked(sql: string, name: string): string[] {
  const line = new RegExp(`^-- ${name}: (.+)$`, "m").exec(sql);
  return line?.[1]?.split(",").map((word) => word.trim()) ?? [];
}
