/** Rows of rooms that are to leave: one function a statement. */
import type { NodeId, RegionId, RoomId } from "../../shared/ids.ts";
import type { Sql } from "../db/database.ts";

/** Open rooms of a region, or of one node of it. */
export function selectOpenRooms(
  sql: Sql,
  { regionId, nodeId }: { readonly regionId: RegionId; readonly nodeId?: NodeId | undefined },
  limit: number,
): Promise<{ room_id: RoomId; node_id: NodeId }[]> {
  return sql.rows(
    `select room_id, node_id from rooms
     where region_id = $1 and ($2::text is null or node_id = $2) and ended_at is null
     order by node_id, room_id limit $3`,
    [regionId, nodeId ?? null, limit],
  );
}

export interface RoomStanding {
  readonly room_id: RoomId;
  readonly node_id: NodeId;
  readonly open: boolean;
  /** Given up by that node for the next one, which has not come. */
  readonly released: boolean;
}

export function selectStandings(sql: Sql, roomIds: readonly RoomId[]): Promise<RoomStanding[]> {
  return sql.rows<RoomStanding>(
    `select room_id, node_id, ended_at is null as open, released_at is not null as released
     from rooms where room_id = any($1::text[])`,
    [roomIds],
  );
}
