/** The leader's lease, one row: one function a statement. All times are the database's. */
import type { Sql, Tx } from "../db/database.ts";
import { LEASE_MS, type Lead, type LeaseRow } from "./leadership-step.ts";

/** Of the advisory lock that `require_leader` takes shared (`migrations/0017_leader.sql`). */
const COMMITS_LOCK = 7_300_007;

/** What a leader's transactions end with, and their values. */
export const REQUIRE_LEADER = "select require_leader($1, $2)";

const ROW = `l.holder, l.term, l.core_term as "coreTerm", c.term as "coreTermNow",
  coalesce(extract(epoch from nullif(l.expires_at, '-infinity') - clock_timestamp()) * 1000, 0)::float8
    as "leftMs"`;

export async function selectLease(sql: Sql): Promise<LeaseRow> {
  const [row] = await sql.rows<LeaseRow>(`select ${ROW} from leader l, core_term c`);
  if (!row) throw new Error("the database holds no leader's lease");
  return row;
}

/** What a former leader is committing is waited for; what it would commit later is refused. */
export async function awaitCommits(tx: Tx): Promise<void> {
  await tx.run("select pg_advisory_xact_lock($1)", [COMMITS_LOCK]);
}

/**
 * Takes a lease that is over, or is a former life's; with `awaitCommits` before.
 * @returns undefined when another has it
 */
export async function takeLease(tx: Tx, name: string): Promise<Lead | undefined> {
  const [lead] = await tx.rows<Lead>(
    `update leader l set holder = $1, term = l.term + 1, core_term = c.term, taken_at = clock_timestamp(),
       expires_at = clock_timestamp() + $2 * interval '1 ms'
     from core_term c
     where l.expires_at <= clock_timestamp() or l.holder = $1
     returning l.term, l.core_term as "coreTerm"`,
    [name, LEASE_MS],
  );
  return lead;
}

/** Also a lease that is over, if nobody has taken it. @returns whether it is this leader's still */
export async function renewLease(sql: Sql, { term, coreTerm }: Lead): Promise<boolean> {
  const renewed = await sql.run(
    `update leader set expires_at = clock_timestamp() + $3 * interval '1 ms'
     where term = $1 and core_term = $2 and core_term = (select term from core_term)`,
    [term, coreTerm, LEASE_MS],
  );
  return renewed === 1;
}

/** Lets another take it at once. */
export async function giveLeaseBack(sql: Sql, { term, coreTerm }: Lead): Promise<void> {
  await sql.run(
    `update leader set expires_at = clock_timestamp()
     where term = $1 and core_term = $2`,
    [term, coreTerm],
  );
}
