/** Rows of changes that were refused: one function a statement. */
import type { PlayerId } from "../../shared/ids.ts";
import type { ProducerId, StateChange } from "../../shared/protocol/player-state.ts";
import type { Sql, Tx } from "../db/database.ts";
import type { RefusedItem } from "./applier-step.ts";

export interface RefusedRow {
  readonly id: number;
  readonly producer_id: ProducerId;
  readonly player_id: PlayerId;
  readonly collection: string;
  readonly item: StateChange;
  readonly reason: string;
  readonly refused_at: Date;
}

export async function insertRefused(
  tx: Tx,
  from: { readonly producerId: ProducerId; readonly toSeq: number },
  refused: readonly RefusedItem[],
  at: Date,
): Promise<void> {
  await tx.run(
    `insert into refused_changes
       (producer_id, to_seq, player_id, collection, item, reason, refused_at)
     select $1, $2, player_id, collection, item::jsonb, reason, $3
     from unnest($4::uuid[], $5::text[], $6::text[], $7::text[])
       as d (player_id, collection, item, reason)`,
    [
      from.producerId,
      from.toSeq,
      at,
      refused.map(({ item }) => item.playerId),
      refused.map(({ item }) => item.collection),
      refused.map((one) => JSON.stringify(keptForm(one))),
      refused.map(({ reason }) => reason),
    ],
  );
}

/** Unresolved ones, newest first. */
export function selectRefused(
  sql: Sql,
  playerId: PlayerId | undefined,
  limit: number,
): Promise<(RefusedRow & Record<string, unknown>)[]> {
  return sql.rows(
    `select id, producer_id, player_id, collection, item, reason, refused_at from refused_changes
     where resolved_at is null and ($1::uuid is null or player_id = $1) order by id desc limit $2`,
    [playerId ?? null, limit],
  );
}

/** All of a player, resolved or not, newest first; more than 1,000 are not listed. */
export function selectRefusedOf(
  sql: Sql,
  playerId: PlayerId,
): Promise<(Pick<RefusedRow, "item" | "reason" | "refused_at"> & Record<string, unknown>)[]> {
  return sql.rows(
    `select item, reason, refused_at from refused_changes
     where player_id = $1 order by id desc limit 1000`,
    [playerId],
  );
}

/** Unresolved, and with this transaction from now on; undefined when there is none of that id. */
export async function lockRefused(tx: Tx, id: number): Promise<RefusedRow | undefined> {
  const rows = await tx.rows<RefusedRow & Record<string, unknown>>(
    `select id, producer_id, player_id, collection, item, reason, refused_at from refused_changes
     where id = $1 and resolved_at is null for update`,
    [id],
  );
  return rows[0];
}

export async function resolveRefused(
  tx: Tx,
  id: number,
  resolved: { readonly by: string; readonly resolution: "applied" | "dropped"; readonly at: Date },
): Promise<void> {
  await tx.run(
    "update refused_changes set resolved_at = $2, resolved_by = $3, resolution = $4 where id = $1",
    [id, resolved.at, resolved.by, resolved.resolution],
  );
}

/** Deletes the oldest unresolved ones past so many. @returns how many */
export function dropOldestRefused(sql: Sql, keptMax: number): Promise<number> {
  return sql.run(
    `delete from refused_changes where resolved_at is null and id <=
       (select id from refused_changes where resolved_at is null order by id desc offset $1 limit 1)`,
    [keptMax],
  );
}

/** What can't be stored in a document can't be stored here either: only the rest of it is kept. */
function keptForm({ item, reason }: RefusedItem): StateChange {
  if (reason !== "unstorable") return item;
  const { set: _, ...rest } = item;
  return rest;
}
