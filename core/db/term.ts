/**
 * The core's term in the database, and when it rises: with every promotion and restore, so that no epoch is granted
 * twice. A database that goes on elsewhere is on another timeline, or of another system: migration 0018
 * keeps both beside the term as its *lineage*, and `follow_lineage` raises the term when they differ.
 *
 * Used by the core, by the command that raises the term after a restore, and by whatever promotes a standby.
 */
import type pg from "pg";

export interface RaisedTerm {
  readonly before: number;
  readonly term: number;
}

/**
 * The new term is the time in seconds, or one more than the former if that is later: whoever restores one
 * backup twice must not get the same term twice.
 */
export async function raiseTerm(client: pg.ClientBase): Promise<RaisedTerm | undefined> {
  const { rows } = await client.query<{ before: string; term: string }>(
    `update meridian.core_term as now
     set term = greatest(now.term + 1, extract(epoch from clock_timestamp())::bigint)
     from meridian.core_term as old returning old.term as before, now.term`,
  );
  const [row] = rows;
  return row && { before: Number(row.before), term: Number(row.term) };
}

interface Known {
  readonly follows: boolean;
  readonly has_term: boolean;
}

/**
 * Raises the term if this database goes on elsewhere than where it was left; after it a core may serve. Does
 * nothing in a database without our schema.
 * @param client on its own, and as a user who may change the term
 */
export async function followLineage(client: pg.ClientBase): Promise<RaisedTerm | undefined> {
  const { rows } = await client.query<Known>(
    `select to_regprocedure('meridian.follow_lineage()') is not null as follows,
       to_regclass('meridian.core_term') is not null as has_term`,
  );
  const [known] = rows;
  if (!known?.has_term) return undefined;
  // A schema of before: it can't tell whether the term is to rise, and one too many does no harm.
  if (!known.follows) return await raiseTerm(client);
  const followed = await client.query<{ before: string; term: string }>(
    "select before, term from meridian.follow_lineage()",
  );
  const [row] = followed.rows;
  if (!row || row.before === row.term) return undefined;
  return { before: Number(row.before), term: Number(row.term) };
}
