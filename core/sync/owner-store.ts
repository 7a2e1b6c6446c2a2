/** Rows of players' owners as loads and fences see them: one function a statement. */
import { EPOCH_NONE, type Epoch } from "../../shared/epoch.ts";
import type { NodeId, PlayerId, RegionId } from "../../shared/ids.ts";
import type { Tx } from "../db/database.ts";
import type { Standing } from "./applier-step.ts";
import type { Ownership } from "./ownership-step.ts";

export interface SessionEpochs {
  /** Of the newest session of the player that got a seat. */
  readonly placedEpoch: Epoch;
  /** Of the newest that was granted. */
  readonly grantedEpoch: Epoch;
}

/** Until the transaction ends no other session can get a seat: placing it needs this row. */
export async function lockSessionEpochs(tx: Tx, playerId: PlayerId): Promise<SessionEpochs> {
  const rows = await tx.rows<Record<"epoch_term" | "epoch_n" | "placed_term" | "placed_n", number>>(
    `select epoch_term, epoch_n, placed_term, placed_n from sessions
     where player_id = $1 for share`,
    [playerId],
  );
  const row = rows[0];
  if (!row) return { placedEpoch: EPOCH_NONE, grantedEpoch: EPOCH_NONE };
  return {
    placedEpoch: [row.placed_term, row.placed_n],
    grantedEpoch: [row.epoch_term, row.epoch_n],
  };
}

export async function lockOwner(tx: Tx, playerId: PlayerId): Promise<Ownership | undefined> {
  const rows = await tx.rows<{
    epoch_term: number;
    epoch_n: number;
    standing: Standing;
    load_id: string | null;
    session_term: number;
    session_n: number;
    node_id: NodeId;
  }>(
    `select epoch_term, epoch_n, standing, load_id, session_term, session_n, node_id
     from player_owners where player_id = $1 for no key update`,
    [playerId],
  );
  const row = rows[0];
  return (
    row && {
      stateEpoch: [row.epoch_term, row.epoch_n],
      standing: row.standing,
      loadId: row.load_id ?? undefined,
      sessionEpoch: [row.session_term, row.session_n],
      nodeId: row.node_id,
    }
  );
}

/**
 * False when another owner was written meanwhile, which can be only where there was none to lock.
 * @param before the epoch of the owner that was locked
 */
export async function writeOwner(
  tx: Tx,
  owner: Ownership & { readonly playerId: PlayerId; readonly regionId: RegionId },
  before: Epoch,
  at: Date,
): Promise<boolean> {
  const written = await tx.run(
    `insert into player_owners as o
       (player_id, epoch_term, epoch_n, standing, load_id, session_term, session_n, node_id,
        region_id, updated_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
     on conflict (player_id) do update set
       epoch_term = excluded.epoch_term, epoch_n = excluded.epoch_n, standing = excluded.standing,
       load_id = excluded.load_id, session_term = excluded.session_term,
       session_n = excluded.session_n, node_id = excluded.node_id,
       region_id = excluded.region_id, updated_at = excluded.updated_at
     where (o.epoch_term, o.epoch_n) = ($11, $12)`,
    [
      owner.playerId,
      ...owner.stateEpoch,
      owner.standing,
      owner.loadId,
      ...owner.sessionEpoch,
      owner.nodeId,
      owner.regionId,
      at,
      ...before,
    ],
  );
  return written === 1;
}

/** Players whom the node holds may have another owner from now on. @returns how many */
export function freePlayersOfNode(
  tx: Tx,
  { regionId, nodeId }: { readonly regionId: RegionId; readonly nodeId: NodeId },
  at: Date,
): Promise<number> {
  return tx.run(
    `with held as materialized (
       select player_id from player_owners
       where region_id = $1 and node_id = $2 and standing = 'held'
       order by player_id for no key update)
     update player_owners o set standing = 'freed', updated_at = $3
     from held where o.player_id = held.player_id`,
    [regionId, nodeId, at],
  );
}

/** The same of all nodes of a region: for its fence, in whose transaction it belongs. */
export function freePlayersOf(tx: Tx, regionId: RegionId, at: Date): Promise<number> {
  return tx.run(
    `with held as materialized (
       select player_id from player_owners where region_id = $1 and standing = 'held'
       order by player_id for no key update)
     update player_owners o set standing = 'freed', updated_at = $2
     from held where o.player_id = held.player_id`,
    [regionId, at],
  );
}
