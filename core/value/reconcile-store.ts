/** What the reconciler reads, one function a statement; each is bounded by what it is given. */
import type { PlayerId } from "../../shared/ids.ts";
import type { Sql } from "../db/database.ts";
import type { Reads } from "../db/stale-reads.ts";

/** The games' side of the ledger, and lower than every player. */
export const NOBODY = "00000000-0000-0000-0000-000000000000" as PlayerId;
/** As the migrations make them. */
export const LEDGER_PARTITIONS = 16;
/** Of one kind, of one statement. */
const ROWS_MAX = 1_000;
/** Of an advisory lock; another one than that of migrations. */
const LOCK_KEY = 7_300_006;

export interface Position {
  readonly bookedTo: Date;
  readonly playerId: PlayerId;
  readonly itemId: string;
}

/** False while another core reconciles on the same server. */
export async function tryLock(tx: Reads): Promise<boolean> {
  const rows = await tx.rows<{ got: boolean }>("select pg_try_advisory_xact_lock($1) as got", [
    LOCK_KEY,
  ]);
  return rows[0]?.got === true;
}

export async function selectPosition(sql: Reads): Promise<Position | undefined> {
  const [row] = await sql.rows<{ booked_to: Date; player_id: PlayerId; item_id: string }>(
    "select booked_to, player_id, item_id from reconciliation",
  );
  return row && { bookedTo: row.booked_to, playerId: row.player_id, itemId: row.item_id };
}

export async function savePosition(sql: Sql, position: Position): Promise<void> {
  await sql.run(
    `insert into reconciliation (booked_to, player_id, item_id) values ($1, $2, $3)
     on conflict (one) do update set booked_to = excluded.booked_to,
       player_id = excluded.player_id, item_id = excluded.item_id`,
    [position.bookedTo, position.playerId, position.itemId],
  );
}

/** When the first entry at or after that time was booked. */
export async function selectFirstBooked(sql: Reads, from: Date): Promise<Date | undefined> {
  const [row] = await sql.rows<{ first: Date | null }>(
    "select min(booked_at) as first from ledger where booked_at >= $1",
    [from],
  );
  return row?.first ?? undefined;
}

/** All entries of an operation are booked at one time: a window holds whole operations. */
export function selectUnbalanced(
  sql: Reads,
  from: Date,
  to: Date,
): Promise<{ op_id: string; currency: string; sum: string }[]> {
  return sql.rows(
    `select op_id, currency, sum(amount)::text as sum from ledger
     where booked_at >= $1 and booked_at < $2
     group by op_id, currency having sum(amount) <> 0 limit $3`,
    [from, to, ROWS_MAX],
  );
}

/** The next players who have a wallet or were booked for, by their ids. */
export async function selectNextPlayers(
  sql: Reads,
  after: PlayerId,
  max: number,
): Promise<PlayerId[]> {
  const rows = await sql.rows<{ player_id: PlayerId }>(
    `(select distinct player_id from wallets where player_id > $1 order by player_id limit $2)
     union
     (select distinct player_id from ledger where player_id > $1 order by player_id limit $2)
     order by player_id limit $2`,
    [after, max],
  );
  return rows.map(({ player_id }) => player_id);
}

/** Wallets of these players that are not what was booked for them, and amounts booked without a wallet. */
export function selectWrongWallets(
  sql: Reads,
  playerIds: readonly PlayerId[],
): Promise<
  { player_id: PlayerId; currency: string; balance: string | null; booked: string | null }[]
> {
  return sql.rows(
    `select player_id, currency, w.balance::text as balance, l.booked::text as booked
     from (select player_id, currency, balance from wallets where player_id = any($1::uuid[])) w
     full join (
       select player_id, currency, sum(amount) as booked from ledger
       where player_id = any($1::uuid[]) group by player_id, currency) l
       using (player_id, currency)
     where coalesce(w.balance, 0) <> coalesce(l.booked, 0) limit $2`,
    [playerIds, ROWS_MAX],
  );
}

/** What one partition of the ledger comes to, by currency. @param partition from 0 */
export function selectPartitionSums(
  sql: Reads,
  partition: number,
): Promise<{ currency: string; sum: string }[]> {
  return sql.rows(
    `select currency, sum(amount)::text as sum from ledger_${Math.trunc(partition)} group by currency`,
  );
}

export async function selectNextItems(sql: Reads, after: string, max: number): Promise<string[]> {
  const rows = await sql.rows<{ item_id: string }>(
    "select item_id from items where item_id > $1 order by item_id limit $2",
    [after, max],
  );
  return rows.map(({ item_id }) => item_id);
}

/** Whom a change leaves the item with. */
const OWNER = `case c.change ->> 'kind'
  when 'giveItem' then c.change ->> 'to' when 'grantItem' then c.change ->> 'playerId' end`;

export interface WrongItem {
  readonly item_id: string;
  /** The last operation that names it; null when there is none such. */
  readonly op_id: string | null;
  /** Whose it is by that. */
  readonly said: string | null;
  readonly owner_id: string | null;
}

/** Those of these items whose owner is not the one that the operation left them with which wrote their row. */
export function selectWrongItems(
  sql: Reads,
  itemIds: readonly string[],
): Promise<(WrongItem & Record<string, unknown>)[]> {
  return sql.rows(
    `select i.item_id, last.op_id, last.said, i.owner_id::text as owner_id
     from items i left join lateral (
       select o.op_id, ${OWNER} as said
       from ops o, jsonb_array_elements(o.body) with ordinality as c (change, place)
       where o.op_id = i.changed_by and o.refusal is null and c.change ->> 'itemId' = i.item_id
       order by c.place desc limit 1) last on true
     where i.item_id = any($1::text[]) and last.said is distinct from i.owner_id::text
     limit $2`,
    [itemIds, ROWS_MAX],
  );
}

/**
 * Of the items that operations since then name, and those of the given operations: the ones that the last of
 * these left otherwise than they are. An item may have been written by a later one still, which
 * `selectWrongItems` looks at; one of a deleted account is gone with it.
 */
export function selectForgottenOps(
  sql: Reads,
  since: Date,
  opIds: readonly string[],
): Promise<(WrongItem & Record<string, unknown>)[]> {
  return sql.rows(
    `with named as (
       select distinct on (c.change ->> 'itemId')
         c.change ->> 'itemId' as item_id, o.op_id, o.n, ${OWNER} as said
       from ops o, jsonb_array_elements(o.body) with ordinality as c (change, place)
       where (o.decided_at >= $1 or o.op_id = any($2::text[])) and o.refusal is null
         and jsonb_path_exists(o.body, '$[*].itemId') and c.change ? 'itemId'
       order by c.change ->> 'itemId', o.n desc, c.place desc)
     select named.item_id, named.op_id, named.said, i.owner_id::text as owner_id
     from named
     left join items i using (item_id)
     left join ops writer on writer.op_id = i.changed_by
     where named.said is distinct from i.owner_id::text
       and coalesce(writer.n, 0) <= named.n
       and (i.item_id is not null or exists (select from players where id = named.said::uuid))
     limit $3`,
    [since, opIds, ROWS_MAX],
  );
}
