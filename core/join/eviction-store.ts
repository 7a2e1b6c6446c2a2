/** Rows of sessions that are to end: one function a statement. */
import type { NodeId, PlayerId, RoomId, SessionId } from "../../shared/ids.ts";
import type { EvictionKind } from "../../shared/protocol/link.ts";
import type { Sql, Tx } from "../db/database.ts";

export interface EvictionRow {
  readonly session_id: SessionId;
  readonly node_id: NodeId;
  readonly room_id: RoomId;
  readonly kind: EvictionKind;
  readonly created_at: Date;
}

/** An eviction with what has become of its room. */
export interface DueEviction extends EvictionRow {
  /** No node has it any more, as far as the core knows. */
  readonly room_over: boolean;
}

type SessionRow = Pick<EvictionRow, "session_id" | "node_id" | "room_id">;

/**
 * Where the player's session is; no join can place another until the transaction ends. Makes the row for
 * a player without one: a first join that is under way would get its place unseen otherwise.
 */
export async function lockSession(
  tx: Tx,
  playerId: PlayerId,
  now: Date,
): Promise<SessionRow | undefined> {
  const rows = await tx.rows<SessionRow>(
    `insert into sessions (player_id, epoch_term, epoch_n, updated_at) values ($1, 0, 0, $2)
     on conflict (player_id) do update set updated_at = excluded.updated_at
     returning session_id, node_id, room_id`,
    [playerId, now],
  );
  return rows[0];
}

/** A session epoch of its own, placed nowhere: whatever has an older one is overtaken. */
export async function fenceSession(
  tx: Tx,
  playerId: PlayerId,
  closedUntil: Date | "infinity" | undefined,
): Promise<void> {
  await tx.run(
    `update sessions set epoch_n = epoch_n + 1, placed_term = epoch_term, placed_n = epoch_n + 1,
       node_id = null, room_id = null, session_id = null, closed_until = coalesce($2, closed_until)
     where player_id = $1`,
    [playerId, closedUntil ?? null],
  );
}

/** The player may join again. */
export async function openSession(tx: Tx, playerId: PlayerId): Promise<void> {
  await tx.run("update sessions set closed_until = null where player_id = $1", [playerId]);
}

export async function insertEviction(tx: Tx, row: EvictionRow): Promise<void> {
  await tx.run(
    `insert into evictions (session_id, node_id, room_id, kind, created_at)
     values ($1, $2, $3, $4, $5) on conflict (session_id) do nothing`,
    [row.session_id, row.node_id, row.room_id, row.kind, row.created_at],
  );
}

/**
 * Those that were not tried for longest, at the node where their room is now: it may have gone to
 * another. One that is on its way can't be told of anything.
 * @param releasedBefore rooms that were released before then and have no owner stay with the former one
 */
export function selectEvictions(
  sql: Sql,
  releasedBefore: Date,
  limit: number,
): Promise<DueEviction[]> {
  return sql.rows<DueEviction>(`${DUE_EVICTIONS} order by e.tries, e.created_at limit $2`, [
    releasedBefore,
    limit,
  ]);
}

/** As `selectEvictions`, one; undefined also while its room is on its way. */
export async function selectEviction(
  sql: Sql,
  releasedBefore: Date,
  sessionId: SessionId,
): Promise<DueEviction | undefined> {
  const rows = await sql.rows<DueEviction>(`${DUE_EVICTIONS} and e.session_id = $2`, [
    releasedBefore,
    sessionId,
  ]);
  return rows[0];
}

const DUE_EVICTIONS = `select e.session_id, e.room_id, e.kind, e.created_at,
    r.ended_at is not null as room_over,
    case when r.ended_at is null then coalesce(r.node_id, e.node_id) else e.node_id end as node_id
  from evictions e left join rooms r using (room_id)
  where (r.released_at is null or r.released_at <= $1)`;

export async function isPending(sql: Sql, sessionId: SessionId): Promise<boolean> {
  const rows = await sql.rows("select from evictions where session_id = $1", [sessionId]);
  return rows.length > 0;
}

/** Lets others go first the next time. */
export async function postponeEviction(sql: Sql, sessionId: SessionId): Promise<void> {
  await sql.run("update evictions set tries = tries + 1 where session_id = $1", [sessionId]);
}

export async function deleteEviction(sql: Sql, sessionId: SessionId): Promise<void> {
  await sql.run("delete from evictions where session_id = $1", [sessionId]);
}
