/**
 * Raises the core's term in the database: with every promotion and restore, before a core serves, so that no epoch is
 * granted twice and nodes send again what the database may have lost.
 *
 * A database that goes on elsewhere is on another timeline, or of another system: migration 0018 keeps both beside
 * the term as its *lineage*. So it is seen in the data itself whether the term is to rise, whoever promoted or
 * restored, and no core and no callback has to hear of it.
 */
import type pg from "pg";

export interface RaisedTerm {
  readonly before: number;
  readonly term: number;
}

interface Known {
  readonly has_term: boolean;
  readonly has_lineage: boolean;
}

/**
 * The new term is the time in seconds, or one more than the former if that is later: whoever restores one
 * backup twice must not get the same term twice.
 * @param client connected as the owner of the schema
 * @returns undefined when the database holds no core's term
 */
export async function raiseTerm(client: pg.ClientBase): Promise<RaisedTerm | undefined> {
  const { rows } = await client.query<{ before: string; term: string }>(
    `update meridian.core_term as now
     set term = greatest(now.term + 1, extract(epoch from clock_timestamp())::bigint)
     from meridian.core_term as old returning old.term as before, now.term`,
  );
  const [row] = rows;
  // A core that starts then does not raise it once more.
  const { has_lineage } = await knownOf(client);
  if (has_lineage) await client.query("update meridian.core_term set lineage = meridian.lineage()");
  return row && { before: Number(row.before), term: Number(row.term) };
}

/**
 * Raises the term if this database goes on elsewhere than where it was left; after it a core may serve. Does
 * nothing in a database without our schema.
 * @param client connected as the owner of the schema
 */
export async function followLineage(client: pg.ClientBase): Promise<RaisedTerm | undefined> {
  const { has_term, has_lineage } = await knownOf(client);
  if (!has_term) return undefined;
  // A schema of before: it can't tell whether the term is to rise, and one too many does no harm.
  if (!has_lineage) return await raiseTerm(client);
  const { rows } = await client.query<{ before: string; term: string }>(
    "select before, term from meridian.follow_lineage()",
  );
  const [row] = rows;
  if (!row || row.before === row.term) return undefined;
  return { before: Number(row.before), term: Number(row.term) };
}

async function knownOf(client: pg.ClientBase): Promise<Known> {
  const { rows } = await client.query<Known>(
    `select to_regclass('meridian.core_term') is not null as has_term,
       to_regprocedure('meridian.follow_lineage()') is not null as has_lineage`,
  );
  return rows[0] ?? { has_term: false, has_lineage: false };
}
