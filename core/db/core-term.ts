/**
 * Raises the core's term: after a restore from a backup or the promotion of a standby, and before a core serves,
 * so that no epoch is granted twice and nodes send again what the database may have lost.
 *
 * The new term is the time in seconds, or one more than the former if that is later: whoever restores one
 * backup twice must not get the same term twice.
 */
import type pg from "pg";

export interface RaisedTerm {
  readonly before: number;
  readonly term: number;
}

/**
 * @param client connected to the core's database as the owner of its schema
 * @throws when the database holds no core's term
 */
export async function raiseCoreTerm(client: pg.ClientBase): Promise<RaisedTerm> {
  const { rows } = await client.query<{ before: string; term: string }>(
    `update meridian.core_term as now
     set term = greatest(now.term + 1, extract(epoch from clock_timestamp())::bigint)
     from meridian.core_term as old returning old.term as before, now.term`,
  );
  const [row] = rows;
  if (!row) throw new Error("this database holds no core's term: is it the restored one?");
  return { before: Number(row.before), term: Number(row.term) };
}
