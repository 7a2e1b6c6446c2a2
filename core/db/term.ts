/**
 * Raises the core's term in the database: with every promotion and restore, before a core serves, so that no epoch is
 * granted twice and nodes send again what the database may have lost.
 */
import type pg from "pg";

export interface RaisedTerm {
  readonly before: number;
  readonly term: number;
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
  return row && { before: Number(row.before), term: Number(row.term) };
}
