/** Rows of players' sessions: one function a statement. */
import type { Epoch } from "../../shared/epoch.ts";
import type { NodeId, PlayerId, RegionId, RoomId, SessionId } from "../../shared/ids.ts";
import type { BanRow } from "../accounts/ban.ts";
import type { Sql } from "../db/database.ts";

export interface GrantedSession {
  readonly name: string;
  readonly epoch: Epoch;
}

export interface PlacedSession {
  readonly epoch: Epoch;
  readonly nodeId: NodeId | null;
  readonly roomId: RoomId | null;
}

/**
 * The player's next session epoch and shown name; undefined when there is no such player, or one who
 * may not join now.
 */
export async function grantSessionEpoch(
  sql: Sql,
  playerId: PlayerId,
  coreTerm: number,
  now: Date,
): Promise<GrantedSession | undefined> {
  const rows = await sql.rows<{ name: string; epoch_term: number; epoch_n: number }>(
    `with player as (select id, name from players where id = $1 for key share)
     insert into sessions as s (player_id, epoch_term, epoch_n, updated_at)
     select id, $2, 1, $3 from player
     on conflict (player_id) do update set
       epoch_term = greatest(s.epoch_term, excluded.epoch_term), epoch_n = s.epoch_n + 1,
       updated_at = excluded.updated_at
       where s.closed_until is null or s.closed_until <= excluded.updated_at
     returning epoch_term, epoch_n, (select name from player) as name`,
    [playerId, coreTerm, now],
  );
  const row = rows[0];
  return row && { name: row.name, epoch: [row.epoch_term, row.epoch_n] };
}

export interface Placed {
  /** The player's session before this one, where it is ordered to end; null when it is over. */
  readonly overtaken: SessionId | null;
}

/**
 * Notes where the session got its seat, and orders the end of the one before. That one is over, and costs
 * nothing, when its node told so (`clearSessions`) or its room has ended; one whose room is on its way to
 * another owner is not.
 * @returns undefined when a newer session or a ban has overtaken it
 */
export async function placeSession(
  sql: Sql,
  session: {
    readonly playerId: PlayerId;
    readonly epoch: Epoch;
    readonly regionId: RegionId;
    readonly nodeId: NodeId;
    readonly roomId: RoomId;
    readonly sessionId: SessionId;
    readonly game: string;
  },
  now: Date,
): Promise<Placed | undefined> {
  const rows = await sql.rows<Placed>(
    `with former as (
       select player_id, node_id, room_id, session_id from sessions
       where player_id = $1 and (placed_term, placed_n) < ($2, $3)
       for update),
     ordered as (
       insert into evictions (session_id, node_id, room_id, kind, created_at)
       select f.session_id, f.node_id, f.room_id, 'session_taken_over', $9
       from former f left join rooms r on r.room_id = f.room_id
       where f.session_id is not null and (r.ended_at is null or r.released_at is not null)
       on conflict (session_id) do nothing
       returning session_id)
     update sessions s set placed_term = $2, placed_n = $3, region_id = $4, node_id = $5,
       room_id = $6, session_id = $7, game = $8, updated_at = $9, placed_at = $9, dropped_at = null
     from former where s.player_id = former.player_id
     returning (select session_id from ordered) as overtaken`,
    [
      session.playerId,
      session.epoch[0],
      session.epoch[1],
      session.regionId,
      session.nodeId,
      session.roomId,
      session.sessionId,
      session.game,
      now,
    ],
  );
  return rows[0];
}

export interface LeftSession {
  readonly playerId: PlayerId;
  readonly sessionId: SessionId;
  /** Whether the connection was lost: such a player comes first when they want back in. */
  readonly dropped?: boolean | undefined;
}

/** The players are out of their rooms for good; one who has a newer session by now keeps that. */
export async function clearSessions(
  sql: Sql,
  left: readonly LeftSession[],
  at: Date,
): Promise<void> {
  await sql.run(
    `update sessions s set session_id = null, dropped_at = case when l.dropped then $4::timestamptz end
     from unnest($1::uuid[], $2::text[], $3::boolean[]) as l (player_id, session_id, dropped)
     where s.player_id = l.player_id and s.session_id = l.session_id`,
    [
      left.map((one) => one.playerId),
      left.map((one) => one.sessionId),
      left.map((one) => one.dropped === true),
      at,
    ],
  );
}

export interface LastSeat {
  readonly player_id: PlayerId;
  readonly region_id: RegionId;
  readonly node_id: NodeId;
  /** Null once the player has left for good. */
  readonly session_id: SessionId | null;
}

/** Where each of the players had the last seat; nothing of those who never had one. */
export async function selectLastSeats(
  sql: Sql,
  playerIds: readonly PlayerId[],
): Promise<LastSeat[]> {
  return await sql.rows<LastSeat>(
    `select player_id, region_id, node_id, session_id from sessions
     where player_id = any($1::uuid[]) and region_id is not null and node_id is not null`,
    [playerIds],
  );
}

/** The player's newest session that got a seat, and the player. */
export async function selectPlacedSession(
  sql: Sql,
  playerId: PlayerId,
): Promise<(PlacedSession & { readonly player: BanRow & { name: string } }) | undefined> {
  const rows = await sql.rows<
    BanRow & {
      name: string;
      placed_term: number;
      placed_n: number;
      node_id: NodeId | null;
      room_id: RoomId | null;
    }
  >(
    `select name, banned_at, ban_ends_at, ban_reason, placed_term, placed_n, node_id, room_id
     from sessions join players on id = player_id where player_id = $1`,
    [playerId],
  );
  const row = rows[0];
  return (
    row && {
      player: row,
      epoch: [row.placed_term, row.placed_n],
      nodeId: row.node_id,
      roomId: row.room_id,
    }
  );
}
