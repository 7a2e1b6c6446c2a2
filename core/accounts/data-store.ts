/** All rows of one player, for the player to read: one function a statement. */
import type { PlayerId } from "../../shared/ids.ts";
import type { Sql } from "../db/database.ts";

/** More log-ins and actions than this are not listed; the newest come first. */
const ROWS_MAX = 1_000;

export interface AccountRow {
  readonly id: PlayerId;
  readonly name: string;
  readonly created_at: Date;
  readonly banned_at: Date | null;
  readonly ban_ends_at: Date | null;
  readonly ban_reason: string | null;
  readonly admission_class: string | null;
  readonly address: string | null;
  readonly email_since: Date | null;
  readonly password_changed_at: Date | null;
  readonly guest_secret: boolean;
  readonly region_id: string | null;
  readonly room_id: string | null;
  readonly game: string | null;
  readonly session_at: Date | null;
}

export async function selectAccount(sql: Sql, playerId: PlayerId): Promise<AccountRow | undefined> {
  const rows = await sql.rows<AccountRow>(
    `select p.id, p.name, p.created_at, p.banned_at, p.ban_ends_at, p.ban_reason, p.admission_class,
            e.address, e.created_at as email_since, e.password_changed_at,
            g.player_id is not null as guest_secret,
            s.region_id, s.room_id, s.game, s.updated_at as session_at
     from players p
     left join emails e on e.player_id = p.id
     left join guest_secrets g on g.player_id = p.id
     left join sessions s on s.player_id = p.id
     where p.id = $1`,
    [playerId],
  );
  return rows[0];
}

export function selectIdentities(
  sql: Sql,
  playerId: PlayerId,
): Promise<{ issuer: string; subject: string; created_at: Date }[]> {
  return sql.rows("select issuer, subject, created_at from identities where player_id = $1", [
    playerId,
  ]);
}

export function selectNetworks(sql: Sql, playerId: PlayerId): Promise<{ seen_at: Date }[]> {
  return sql.rows("select seen_at from known_prefixes where player_id = $1 order by seen_at desc", [
    playerId,
  ]);
}

/** One row a family, as its newest token has it. */
export function selectFamilies(
  sql: Sql,
  playerId: PlayerId,
): Promise<{ device: string; created_at: Date; expires_at: Date; revoked_at: Date | null }[]> {
  return sql.rows(
    `select distinct on (family) device, created_at, expires_at, revoked_at
     from refresh_tokens where player_id = $1
     order by family desc, created_at desc limit $2`,
    [playerId, ROWS_MAX],
  );
}

export function selectActions(
  sql: Sql,
  playerId: PlayerId,
): Promise<{ at: Date; action: string }[]> {
  return sql.rows(
    `select at, action from audit_log
     where subject = $1 and outcome in ('begun', 'done') order by id desc limit $2`,
    [playerId, ROWS_MAX],
  );
}
