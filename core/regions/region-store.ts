/** Rows of the core's term, of regions and of rooms: one function a statement. */
import type { Epoch } from "../../shared/epoch.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { GameName, NodeId, RegionId, RoomId } from "../../shared/ids.ts";
import type { ClaimRequest, ReaffirmRoomsRequest } from "../../shared/protocol/link.ts";
import type { Sql, Tx } from "../db/database.ts";
import type { RegionLife, Wanted } from "./fence-step.ts";

interface EpochColumns {
  readonly epoch_term: number;
  readonly epoch_n: number;
}

export interface RegionRow extends EpochColumns {
  readonly region_id: RegionId;
  readonly wanted: Wanted;
}

export interface RoomRow extends EpochColumns {
  readonly game: GameName;
  readonly region_id: RegionId;
  readonly node_id: NodeId;
  readonly claim_id: string;
  readonly ended: boolean;
  /** When its owner gave it up for the next one; null while it has an owner. */
  readonly released_at: Date | null;
}

/** A claim as a region of ours makes it. */
export type RegionClaim = ClaimRequest & { readonly regionId: RegionId };

/** A claim that was granted, with its room's epoch as of now. */
export interface ClaimRow extends EpochColumns {
  readonly room_id: RoomId;
  readonly game: GameName;
  readonly node_id: NodeId;
  /** Whether the room is still open under this claim. */
  readonly holds: boolean;
}

export function epochOf(row: EpochColumns): Epoch {
  return [row.epoch_term, row.epoch_n];
}

export function lifeOf(row: RegionRow): RegionLife {
  return { epoch: epochOf(row), wanted: row.wanted };
}

export async function selectCoreTerm(sql: Sql): Promise<number> {
  const rows = await sql.rows<{ term: number }>("select term from core_term");
  const term = rows[0]?.term;
  if (term === undefined) throw new Error("the database holds no core term");
  return term;
}

export function selectRegions(sql: Sql): Promise<RegionRow[]> {
  return sql.rows<RegionRow>("select region_id, epoch_term, epoch_n, wanted from regions");
}

export async function selectRegion(sql: Sql, id: RegionId): Promise<RegionRow | undefined> {
  const rows = await sql.rows<RegionRow>(
    "select region_id, epoch_term, epoch_n, wanted from regions where region_id = $1",
    [id],
  );
  return rows[0];
}

/** Grants a region its first epoch, unless it has one. */
export async function grantFirstEpoch(sql: Sql, id: RegionId, coreTerm: number): Promise<void> {
  await sql.run(
    `insert into regions as r (region_id, epoch_term, epoch_n) values ($1, $2, 1)
     on conflict (region_id) do update
       set epoch_term = excluded.epoch_term, epoch_n = excluded.epoch_n
       where r.epoch_n = 0`,
    [id, coreTerm],
  );
}

/** A region that never registered gets a row without an epoch. @returns false when it is fenced */
export async function setWanted(
  sql: Sql,
  id: RegionId,
  wanted: Exclude<Wanted, "fenced">,
): Promise<boolean> {
  const changed = await sql.run(
    `insert into regions as r (region_id, epoch_term, epoch_n, wanted) values ($1, 0, 0, $2)
     on conflict (region_id) do update set wanted = excluded.wanted where r.wanted <> 'fenced'`,
    [id, wanted],
  );
  return changed === 1;
}

/**
 * The region's life, which nobody changes, and in which no claim is granted, until the transaction ends. A
 * region that never registered gets a row without an epoch.
 */
export async function lockRegion(tx: Tx, id: RegionId): Promise<RegionLife> {
  const rows = await tx.rows<RegionRow>(
    `insert into regions (region_id, epoch_term, epoch_n) values ($1, 0, 0)
     on conflict (region_id) do update set region_id = excluded.region_id
     returning region_id, epoch_term, epoch_n, wanted`,
    [id],
  );
  const row = rows[0];
  if (!row) throw new Error("a row that was written was not returned");
  return lifeOf(row);
}

/** The region's life, which no fence changes until the transaction ends. */
export async function shareRegion(tx: Tx, id: RegionId): Promise<RegionLife | undefined> {
  const rows = await tx.rows<RegionRow>(
    "select region_id, epoch_term, epoch_n, wanted from regions where region_id = $1 for share",
    [id],
  );
  const row = rows[0];
  return row && lifeOf(row);
}

/** By compare and set, so that no epoch is ever granted twice. @throws {MeridianError} `conflict` */
export async function changeLife(
  tx: Tx,
  id: RegionId,
  from: RegionLife,
  to: RegionLife,
): Promise<void> {
  const changed = await tx.run(
    `update regions set epoch_term = $4, epoch_n = $5, wanted = $6
     where region_id = $1 and epoch_term = $2 and epoch_n = $3`,
    [id, ...from.epoch, ...to.epoch, to.wanted],
  );
  if (changed !== 1) throw new MeridianError("conflict", { message: "The region was changed." });
}

/** Ends all rooms that nodes of the region have. @returns how many */
export function endRegionRooms(tx: Tx, id: RegionId, endedAt: Date): Promise<number> {
  return tx.run("update rooms set ended_at = $2 where region_id = $1 and ended_at is null", [
    id,
    endedAt,
  ]);
}

/**
 * Makes the room's row, or takes over one that has ended. A claim that comes late, for a state that a later owner has
 * changed since, gets nothing; a core that was restored from a backup may know of earlier owners only.
 * @returns undefined when someone holds it, or has since
 */
export async function claimRoom(
  sql: Sql,
  claim: RegionClaim,
  coreTerm: number,
  claimedAt: Date,
): Promise<Epoch | undefined> {
  const rows = await sql.rows<EpochColumns>(
    `insert into rooms as r
       (room_id, game, region_id, node_id, epoch_term, epoch_n, claim_id, claimed_at)
     values ($1, $2, $3, $4, $5, 1, $6, $7)
     on conflict (room_id) do update set
       game = excluded.game, region_id = excluded.region_id, node_id = excluded.node_id,
       epoch_term = greatest(r.epoch_term, excluded.epoch_term), epoch_n = r.epoch_n + 1,
       claim_id = excluded.claim_id, claimed_at = excluded.claimed_at, ended_at = null,
       released_at = null
     where r.ended_at is not null
       and ($8::bigint is null or (r.epoch_term, r.epoch_n) <= ($8::bigint, $9::bigint))
     returning epoch_term, epoch_n`,
    [
      claim.roomId,
      claim.game,
      claim.regionId,
      claim.nodeId,
      coreTerm,
      claim.claimId,
      claimedAt,
      ...(claim.formerEpoch ?? [null, null]),
    ],
  );
  return rows[0] && epochOf(rows[0]);
}

/**
 * The room's last place, which is at least what its claimant knows and what was recorded under its id: a
 * core that was restored from a backup may know less, and a row that was cleaned away nothing.
 */
export async function raiseOpSeq(sql: Sql, roomId: RoomId, atLeast: number): Promise<number> {
  const rows = await sql.rows<{ op_seq: number }>(
    `update rooms set op_seq = greatest(
       op_seq, $2, (select max(op_seq) from ops where room_id = $1))
     where room_id = $1 returning op_seq`,
    [roomId, atLeast],
  );
  return rows[0]?.op_seq ?? atLeast;
}

/**
 * Takes a node's word for rooms that were granted in a term before this one, in an epoch above what is known
 * of them: that grant was lost. A room that has a later owner stays as it is.
 */
export async function reaffirmRooms(
  sql: Sql,
  owner: { readonly regionId: RegionId; readonly nodeId: NodeId },
  rooms: ReaffirmRoomsRequest["rooms"],
  at: Date,
): Promise<void> {
  await sql.run(
    `insert into rooms as r
       (room_id, game, region_id, node_id, epoch_term, epoch_n, claim_id, claimed_at, op_seq)
     select room_id, game, $1, $2, epoch_term, epoch_n, 'reaffirmed/' || room_id, $3, op_seq
     from unnest($4::text[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[])
       as d (room_id, game, epoch_term, epoch_n, op_seq)
     where epoch_term < (select term from core_term)
     order by room_id
     on conflict (room_id) do update set
       game = excluded.game, region_id = excluded.region_id, node_id = excluded.node_id,
       epoch_term = excluded.epoch_term, epoch_n = excluded.epoch_n,
       claim_id = excluded.claim_id, claimed_at = excluded.claimed_at,
       op_seq = greatest(r.op_seq, excluded.op_seq), ended_at = null, released_at = null
     where (r.epoch_term, r.epoch_n) < (excluded.epoch_term, excluded.epoch_n)`,
    [
      owner.regionId,
      owner.nodeId,
      at,
      rooms.map(({ roomId }) => roomId),
      rooms.map(({ game }) => game),
      rooms.map(({ roomEpoch }) => roomEpoch[0]),
      rooms.map(({ roomEpoch }) => roomEpoch[1]),
      rooms.map(({ opSeq }) => opSeq),
    ],
  );
}

/** Those of the rooms that the node has, each in that epoch. */
export async function selectHeld(
  sql: Sql,
  nodeId: NodeId,
  rooms: ReaffirmRoomsRequest["rooms"],
): Promise<RoomId[]> {
  const rows = await sql.rows<{ room_id: RoomId }>(
    `select room_id from rooms join unnest($2::text[], $3::bigint[], $4::bigint[])
       as d (room_id, epoch_term, epoch_n) using (room_id, epoch_term, epoch_n)
     where node_id = $1 and ended_at is null`,
    [
      nodeId,
      rooms.map(({ roomId }) => roomId),
      rooms.map(({ roomEpoch }) => roomEpoch[0]),
      rooms.map(({ roomEpoch }) => roomEpoch[1]),
    ],
  );
  return rows.map(({ room_id }) => room_id);
}

/** False when the id was used before. */
export async function insertClaim(sql: Sql, claim: ClaimRequest): Promise<boolean> {
  const inserted = await sql.run(
    `insert into claims (claim_id, room_id, game, node_id) values ($1, $2, $3, $4)
     on conflict do nothing`,
    [claim.claimId, claim.roomId, claim.game, claim.nodeId],
  );
  return inserted === 1;
}

export async function selectClaim(sql: Sql, claimId: string): Promise<ClaimRow | undefined> {
  const rows = await sql.rows<ClaimRow>(
    `select c.room_id, c.game, c.node_id, r.epoch_term, r.epoch_n,
       r.claim_id = c.claim_id and r.ended_at is null as holds
     from claims c join rooms r using (room_id) where c.claim_id = $1`,
    [claimId],
  );
  return rows[0];
}

export async function selectRoom(sql: Sql, roomId: RoomId): Promise<RoomRow | undefined> {
  const rows = await sql.rows<RoomRow>(
    `select game, region_id, node_id, epoch_term, epoch_n, claim_id, released_at,
       ended_at is not null as ended
     from rooms where room_id = $1`,
    [roomId],
  );
  return rows[0];
}

/** Ends rooms that the node still holds, for their next owner to claim. @returns how many */
export function releaseRooms(
  sql: Sql,
  { nodeId, roomIds }: { readonly nodeId: NodeId; readonly roomIds: readonly RoomId[] },
  releasedAt: Date,
): Promise<number> {
  return sql.run(
    `update rooms set ended_at = $3, released_at = $3
     where room_id = any($2::text[]) and node_id = $1 and ended_at is null`,
    [nodeId, roomIds, releasedAt],
  );
}

/** Only rooms that the node they are reported by still holds. */
export function endRooms(
  sql: Sql,
  ended: readonly { readonly nodeId: NodeId; readonly roomId: RoomId }[],
  endedAt: Date,
): Promise<number> {
  return sql.run(
    `update rooms r set ended_at = $3
     from unnest($1::text[], $2::text[]) as e (room_id, node_id)
     where r.room_id = e.room_id and r.node_id = e.node_id and r.ended_at is null`,
    [ended.map((room) => room.roomId), ended.map((room) => room.nodeId), endedAt],
  );
}
