/** Rows of players as others see them, and of their changes: one function a statement. */
import type { PlayerId } from "../../shared/ids.ts";
import { NAMESAKES_MAX } from "../../shared/protocol/profiles.ts";
import type { Sql } from "../db/database.ts";
import type { ChangesRead, PlayerChange } from "./changes-step.ts";

export interface ProfileRow {
  readonly id: PlayerId;
  readonly name: string;
  readonly created_at: Date;
}

export function selectProfiles(sql: Sql, ids: readonly PlayerId[]): Promise<ProfileRow[]> {
  return sql.rows("select id, name, created_at from players where id = any($1::uuid[])", [ids]);
}

/** Of each name the players made first, `NAMESAKES_MAX` at most. */
export function selectNamesakes(sql: Sql, names: readonly string[]): Promise<ProfileRow[]> {
  return sql.rows(
    `select found.* from unnest($1::text[]) as wanted (name)
     cross join lateral (
       select id, name, created_at from players
       where name = wanted.name and not ephemeral order by id limit $2) found`,
    [names, NAMESAKES_MAX],
  );
}

/** The next players by id. */
export function selectNextPlayers(
  sql: Sql,
  after: string,
  rowsMax: number,
): Promise<{ id: PlayerId; name: string }[]> {
  return sql.rows("select id, name from players where id > $1 order by id limit $2", [
    after,
    rowsMax,
  ]);
}

/** As PostgreSQL last counted them: no more than an estimate, and free. */
export async function estimatePlayers(sql: Sql): Promise<number> {
  const [row] = await sql.rows<{ estimate: number }>(
    "select greatest(reltuples, 0)::int8 as estimate from pg_class where oid = 'players'::regclass",
  );
  return row?.estimate ?? 0;
}

interface ChangeRow {
  readonly term: number;
  readonly horizon: string;
  readonly xid: string | null;
  readonly player_id: PlayerId | null;
  readonly made: boolean | null;
  readonly name: string | null;
}

/**
 * What was changed by transactions from `since` on, of which one may still be open, and the oldest one that
 * is open now: both of one snapshot.
 */
export async function selectChanges(
  sql: Sql,
  since: string | undefined,
  rowsMax: number,
): Promise<ChangesRead> {
  const rows = await sql.rows<ChangeRow>(
    `select t.term, pg_snapshot_xmin(pg_current_snapshot())::text as horizon,
            c.xid::text, c.player_id, c.made, p.name
     from core_term t
     left join (select xid, player_id, made from player_changes
                where xid >= $1::text::xid8 order by xid limit $2) c on true
     left join players p on p.id = c.player_id`,
    [since ?? null, rowsMax + 1],
  );
  const [first] = rows;
  if (!first) throw new Error("the table core_term is empty");
  const { term: coreTerm, horizon } = first;
  return { coreTerm, horizon, changes: rows.flatMap(changeOf), cut: rows.length > rowsMax };
}

function changeOf({ xid, player_id: playerId, made, name }: ChangeRow): PlayerChange[] {
  if (xid === null || playerId === null || made === null) return [];
  return [{ xid, playerId, made, name }];
}
