/** Where rooms run and where players are, for operators: one function a statement. */
import type { GameName, NodeId, PlayerId, RegionId, RoomId, SessionId } from "../../shared/ids.ts";
import type { PlayersQuery } from "../../shared/protocol/ops-failover.ts";
import type { Sql } from "../db/database.ts";

export interface OpenRoomRow {
  readonly room_id: RoomId;
  readonly game: GameName;
  readonly region_id: RegionId;
  readonly node_id: NodeId;
  readonly epoch_term: number;
  readonly epoch_n: number;
  readonly claimed_at: Date;
  readonly players: number;
}

/** Reads all sessions once: some 0.2 s for a million of them, which no join is to pay an index for. */
export function selectRooms(
  sql: Sql,
  query: {
    readonly region?: RegionId | undefined;
    readonly node?: NodeId | undefined;
    readonly after?: RoomId | undefined;
  },
  limit: number,
): Promise<OpenRoomRow[]> {
  return sql.rows<OpenRoomRow>(
    `with page as (
       select room_id, game, region_id, node_id, epoch_term, epoch_n, claimed_at from rooms
       where ended_at is null and ($1::text is null or region_id = $1)
         and ($2::text is null or node_id = $2) and ($3::text is null or room_id > $3)
       order by room_id limit $4),
     seated as (
       select room_id, count(*) as players from sessions
       where session_id is not null and room_id in (select room_id from page) group by room_id)
     select page.*, coalesce(players, 0) as players from page left join seated using (room_id)
     order by room_id`,
    [query.region ?? null, query.node ?? null, query.after ?? null, limit],
  );
}

export interface PlayerPlaceRow {
  readonly player_id: PlayerId;
  readonly name: string;
  readonly session_id: SessionId | null;
  readonly game: string;
  readonly region_id: RegionId;
  readonly node_id: NodeId;
  readonly room_id: RoomId;
  readonly room_at: NodeId | null;
  readonly placed_at: Date | null;
}

/** One player's last seat, or all that are held there, the newest first. */
export function selectPlaces(
  sql: Sql,
  { player, room, node, region }: PlayersQuery,
  limit: number,
): Promise<PlayerPlaceRow[]> {
  return sql.rows<PlayerPlaceRow>(
    `select s.player_id, p.name, s.session_id, s.game, s.region_id, s.node_id, s.room_id, s.placed_at,
       case when r.ended_at is null then r.node_id end as room_at
     from sessions s join players p on p.id = s.player_id left join rooms r on r.room_id = s.room_id
     where s.room_id is not null and s.node_id is not null and s.region_id is not null
       and s.game is not null
       and ($1::uuid is null or s.player_id = $1) and ($2::text is null or s.room_id = $2)
       and ($3::text is null or coalesce(case when r.ended_at is null then r.node_id end, s.node_id) = $3)
       and ($4::text is null or coalesce(case when r.ended_at is null then r.region_id end, s.region_id) = $4)
       and ($1::uuid is not null or s.session_id is not null)
     order by s.placed_at desc nulls last, s.player_id limit $5`,
    [player ?? null, room ?? null, node ?? null, region ?? null, limit],
  );
}
