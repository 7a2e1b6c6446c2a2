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

type SessionRow = Pick<EvictionRow, "session_id" | "node_id" | "room_id">;

/** Where the player's session is; no join can place another until the transaction ends. */
export async function lockSession(tx: Tx, playerId: PlayerId): Promise<SessionRow | undefined> {
  const rows = await tx.rows<SessionRow>(
    "select session_id, node_id, room_id from sessions where player_id = $1 for update",
    [playerId],
  );
  return rows[0];
}

/**
 * A session epoch of its own, placed nowhere: whatever has an older one is overtaken. Also makes the row
 * for a player without one, so that a first join that is under way waits for it.
 */
export async function fenceSession(
  tx: Tx,
  playerId: PlayerId,
  closedUntil: Date | "infinity" | undefined,
  now: Date,
): Promise<void> {
  await tx.run(
    `insert into sessions as s (player_id, epoch_term, epoch_n, closed_until, updated_at)
     values ($1, 0, 0, $2, $3)
     on conflict (player_id) do update set
       epoch_n = s.epoch_n + 1, placed_term = s.epoch_term, placed_n = s.epoch_n + 1,
       node_id = null, room_id = null, session_id = null,
       closed_until = coalesce(excluded.closed_until, s.closed_until),
       updated_at = excluded.updated_at`,
    [playerId, closedUntil ?? null, now],
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

/** Those that were not tried for longest. */
export function selectEvictions(sql: Sql, limit: number): Promise<EvictionRow[]> {
  return sql.rows<EvictionRow>(
    `select session_id, node_id, room_id, kind, created_at from evictions
     order by tries, created_at limit $1`,
    [limit],
  );
}

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
