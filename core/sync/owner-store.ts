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

/**
 * Until the transaction ends none of them gets a seat: placing a session needs its row.
 * @param playerIds in the order in which all lock them
 */
export async function lockSessionEpochs(
  tx: Tx,
  playerIds: readonly PlayerId[],
): Promise<Map<PlayerId, SessionEpochs>> {
  const rows = await tx.rows<
    { player_id: PlayerId } & Record<"epoch_term" | "epoch_n" | "placed_term" | "placed_n", number>
  >(
    `select s.* from unnest($1::uuid[]) as d (player_id), lateral
       (select player_id, epoch_term, epoch_n, placed_term, placed_n from sessions
        where player_id = d.player_id for share) s`,
    [playerIds],
  );
  return new Map(
    rows.map((row) => [
      row.player_id,
      {
        placedEpoch: [row.placed_term, row.placed_n],
        grantedEpoch: [row.epoch_term, row.epoch_n],
      },
    ]),
  );
}

export async function lockOwner(tx: Tx, playerId: PlayerId): Promise<Ownership | undefined> {
  return (await lockOwnerships(tx, [playerId])).get(playerId);
}

/** @param playerIds in the order in which all lock them */
export async function lockOwnerships(
  tx: Tx,
  playerIds: readonly PlayerId[],
): Promise<Map<PlayerId, Ownership>> {
  const rows = await tx.rows<{
    player_id: PlayerId;
    epoch_term: number;
    epoch_n: number;
    standing: Standing;
    load_id: string | null;
    session_term: number;
    session_n: number;
    node_id: NodeId;
  }>(
    `select o.* from unnest($1::uuid[]) as d (player_id), lateral
       (select player_id, epoch_term, epoch_n, standing, load_id, session_term, session_n, node_id
        from player_owners where player_id = d.player_id for no key update) o`,
    [playerIds],
  );
  return new Map(
    rows.map((row) => [
      row.player_id,
      {
        stateEpoch: [row.epoch_term, row.epoch_n],
        standing: row.standing,
        loadId: row.load_id ?? undefined,
        sessionEpoch: [row.session_term, row.session_n],
        nodeId: row.node_id,
      },
    ]),
  );
}

/**
 * False when one of them got another owner meanwhile, which can be only where there was none to lock.
 * @param former those that were locked
 */
export async function writeOwnerships(
  tx: Tx,
  anew: ReadonlyMap<PlayerId, Ownership>,
  former: ReadonlyMap<PlayerId, Ownership>,
  { regionId, at }: { readonly regionId: RegionId; readonly at: Date },
): Promise<boolean> {
  const all = [...anew].sort(([a], [b]) => (a < b ? -1 : 1));
  const before = all.map(([playerId]) => former.get(playerId)?.stateEpoch ?? EPOCH_NONE);
  const written = await tx.run(
    `with d as materialized (
       select * from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::text[],
         $6::bigint[], $7::bigint[], $8::text[], $9::bigint[], $10::bigint[])
         as d (player_id, epoch_term, epoch_n, standing, load_id, session_term, session_n, node_id,
           before_term, before_n)),
     known as (
       update player_owners o set
         epoch_term = d.epoch_term, epoch_n = d.epoch_n, standing = d.standing,
         load_id = d.load_id, session_term = d.session_term, session_n = d.session_n,
         node_id = d.node_id, region_id = $11, updated_at = $12
       from d where o.player_id = d.player_id
         and (o.epoch_term, o.epoch_n) = (d.before_term, d.before_n)
       returning o.player_id),
     new as (
       insert into player_owners
         (player_id, epoch_term, epoch_n, standing, load_id, session_term, session_n, node_id,
          region_id, updated_at)
       select player_id, epoch_term, epoch_n, standing, load_id, session_term, session_n, node_id,
         $11, $12
       from d where (before_term, before_n) = ($13, $14) order by player_id
       on conflict (player_id) do nothing
       returning player_id)
     select from known union all select from new`,
    [
      all.map(([playerId]) => playerId),
      all.map(([, { stateEpoch }]) => stateEpoch[0]),
      all.map(([, { stateEpoch }]) => stateEpoch[1]),
      all.map(([, { standing }]) => standing),
      all.map(([, { loadId }]) => loadId),
      all.map(([, { sessionEpoch }]) => sessionEpoch[0]),
      all.map(([, { sessionEpoch }]) => sessionEpoch[1]),
      all.map(([, { nodeId }]) => nodeId),
      before.map(([term]) => term),
      before.map(([, n]) => n),
      regionId,
      at,
      ...EPOCH_NONE,
    ],
  );
  return written === all.length;
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
