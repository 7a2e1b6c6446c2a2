/** Of a core that may not migrate: whether somebody else has. */
import { MeridianError } from "../../shared/errors.ts";
import type { Sql } from "./database.ts";
import { type Applied, type Migration, planMigrations } from "./migrate.ts";

/** No such table; no right to the schema, which is given by the first migration. */
const NOT_THERE_YET = new Set(["42P01", "42501"]);

/**
 * @throws {MeridianError} `unavailable` while a migration that this binary knows is missing
 * @throws {SchemaError} when this binary can't use the schema
 */
export async function checkSchema(sql: Sql, known: readonly Migration[]): Promise<void> {
  const [next] = planMigrations(known, await readApplied(sql));
  if (!next) return;
  const message = `${next.name} is not applied yet, and DATABASE_MIGRATE is false: npm run migrate`;
  throw new MeridianError("unavailable", { message });
}

async function readApplied(sql: Sql): Promise<readonly Applied[]> {
  try {
    return await sql.rows<Applied & Record<string, unknown>>(
      "select version, checksum, compatible_from from schema_migrations order by version",
    );
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (typeof code === "string" && NOT_THERE_YET.has(code)) return [];
    throw error;
  }
}
