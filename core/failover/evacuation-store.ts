/** Rows of rooms that are to leave: one function a statement. */
import type { NodeId, RegionId, RoomId } from "../../shared/ids.ts";
import type { Sql } from "../db/database.ts";
import type { RoomLife } from "./evacuation-copies.ts";

/** Open rooms of a region, or of one node of it. */
export function selectOpenRooms(
  sql: Sql,
  { regionId, nodeId }: { readonly regionId: RegionId; readonly nodeId?: NodeId | undefined },
  limit: number,
): Promise<({ node_id: NodeId } & RoomLife)[]> {
  return sql.rows(
    `select room_id, node_id, epoch_term, epoch_n from rooms
     where region_id = $1 and ($2::text is null or node_id = $2) and ended_at is null
     order by node_id, room_id limit $3`,
    [regionId, nodeId ?? null, limit],
  );
}

export interface RoomStanding extends RoomLife {
  readonly node_id: NodeId;
  readonly open: boolean;
  /** Given up by that node just now for the next one, which has not come. */
  readonly released: boolean;
}

/** @param releasedAfter rooms that were given up before have ended */
export function selectStandings(
  sql: Sql,
  roomIds: readonly RoomId[],
  releasedAfter: Date,
): Promise<RoomStanding[]> {
  return sql.rows<RoomStanding>(
    `select room_id, node_id, epoch_term, epoch_n, ended_at is null as open,
       coalesce(released_at > $2, false) as released
     from rooms where room_id = any($1::text[])`,
    [roomIds, releasedAfter],
  );
}
