/** Rows of fenced nodes, and of the rooms that they lost: one function a statement. */
import type { Epoch } from "../../shared/epoch.ts";
import type { GameName, NodeId, RegionId, RoomId } from "../../shared/ids.ts";
import type { Sql, Tx } from "../db/database.ts";

/**
 * Why a node's life was ended. `replaced`: a later life is at its address; `unheard`: it has rooms, and no core
 * that runs has heard of it.
 */
export type Because = "refused" | "silent" | "replaced" | "unheard" | "operator";

/** A room on its way from a fenced node to its next owner. */
export interface LostRoom {
  readonly roomId: RoomId;
  readonly game: GameName;
  /** Under which the fenced node ran it. */
  readonly roomEpoch: Epoch;
}

interface RoomColumns {
  readonly node_id: NodeId;
  readonly room_id: RoomId;
  readonly game: GameName;
  readonly epoch_term: number;
  readonly epoch_n: number;
}

/** @returns false when it was fenced before */
export async function insertFence(
  tx: Tx,
  node: { readonly nodeId: NodeId; readonly regionId: RegionId; readonly because: Because },
  at: Date,
): Promise<boolean> {
  const inserted = await tx.run(
    `insert into fenced_nodes (node_id, region_id, fenced_at, because) values ($1, $2, $3, $4)
     on conflict do nothing`,
    [node.nodeId, node.regionId, at, node.because],
  );
  return inserted === 1;
}

export async function isFenced(sql: Sql, nodeId: NodeId): Promise<boolean> {
  const rows = await sql.rows("select 1 from fenced_nodes where node_id = $1", [nodeId]);
  return rows.length > 0;
}

/** The newest ones, the oldest of them first. */
export async function selectFenced(sql: Sql, rowsMax: number): Promise<NodeId[]> {
  const rows = await sql.rows<{ node_id: NodeId }>(
    "select node_id from fenced_nodes order by fenced_at desc limit $1",
    [rowsMax],
  );
  return rows.map(({ node_id }) => node_id).reverse();
}

/**
 * Ends the node's rooms for their next owners. In the order of ids: operations on money and items that are under
 * way are waited for, and none comes after.
 */
export async function releaseRoomsOf(tx: Tx, nodeId: NodeId, at: Date): Promise<LostRoom[]> {
  const rows = await tx.rows<RoomColumns>(
    `with held as materialized (
       select room_id from rooms where node_id = $1 and ended_at is null
       order by room_id for no key update)
     update rooms r set ended_at = $2, released_at = $2
     from held where r.room_id = held.room_id
     returning r.node_id, r.room_id, r.game, r.epoch_term, r.epoch_n`,
    [nodeId, at],
  );
  return rows.map(lostRoom);
}

/** Rooms of fenced nodes that were released after that moment and are nobody's yet, by node. */
export async function selectOnTheirWay(
  sql: Sql,
  after: Date,
): Promise<ReadonlyMap<NodeId, readonly LostRoom[]>> {
  const rows = await sql.rows<RoomColumns>(
    `select r.node_id, r.room_id, r.game, r.epoch_term, r.epoch_n
     from fenced_nodes f join rooms r using (node_id)
     where r.released_at > $1 and r.ended_at is not null order by r.room_id`,
    [after],
  );
  return byNode(rows);
}

/** Rooms that nobody goes on with have ended, to whoever asks. @returns those that nobody had claimed */
export async function giveUpRooms(sql: Sql, roomIds: readonly RoomId[]): Promise<RoomId[]> {
  const rows = await sql.rows<{ room_id: RoomId }>(
    `update rooms set released_at = null
     where room_id = any($1::text[]) and ended_at is not null and released_at is not null
     returning room_id`,
    [roomIds],
  );
  return rows.map(({ room_id }) => room_id);
}

/** Nodes other than these with open rooms of that region that were claimed by then. */
export async function selectUnheard(
  sql: Sql,
  {
    regionId,
    knownNodeIds,
    claimedBefore,
  }: {
    readonly regionId: RegionId;
    readonly knownNodeIds: readonly NodeId[];
    readonly claimedBefore: Date;
  },
): Promise<NodeId[]> {
  const rows = await sql.rows<{ node_id: NodeId }>(
    `select distinct node_id from rooms
     where region_id = $1 and node_id <> all($2::text[]) and claimed_at < $3 and ended_at is null`,
    [regionId, knownNodeIds, claimedBefore],
  );
  return rows.map(({ node_id }) => node_id);
}

/** The open rooms of these nodes. */
export async function selectOpenRooms(
  sql: Sql,
  nodeIds: readonly NodeId[],
): Promise<ReadonlyMap<NodeId, readonly LostRoom[]>> {
  const rows = await sql.rows<RoomColumns>(
    `select node_id, room_id, game, epoch_term, epoch_n from rooms
     where node_id = any($1::text[]) and ended_at is null order by room_id`,
    [nodeIds],
  );
  return byNode(rows);
}

function byNode(rows: readonly RoomColumns[]): ReadonlyMap<NodeId, readonly LostRoom[]> {
  const found = new Map<NodeId, LostRoom[]>();
  for (const row of rows) {
    const rooms = found.get(row.node_id) ?? [];
    rooms.push(lostRoom(row));
    found.set(row.node_id, rooms);
  }
  return found;
}

function lostRoom(row: RoomColumns): LostRoom {
  return { roomId: row.room_id, game: row.game, roomEpoch: [row.epoch_term, row.epoch_n] };
}
