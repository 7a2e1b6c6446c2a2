/** Rows of players, guests' secrets and refresh tokens: one function a statement. */
import type { PlayerId } from "../../shared/ids.ts";
import type { Sql, Tx } from "../db/database.ts";

export interface PlayerRow {
  readonly id: PlayerId;
  readonly name: string;
}

export interface RefreshRow {
  readonly family: string;
  readonly player_id: PlayerId;
  readonly device: string;
  readonly expires_at: Date;
  readonly used_at: Date | null;
  readonly revoked_at: Date | null;
  readonly successor_expires_at: Date | null;
  readonly successor_used: boolean;
}

export async function insertPlayer(
  sql: Sql,
  player: PlayerRow & { readonly ephemeral: boolean; readonly createdAt: Date },
): Promise<void> {
  await sql.run("insert into players (id, name, ephemeral, created_at) values ($1, $2, $3, $4)", [
    player.id,
    player.name,
    player.ephemeral,
    player.createdAt,
  ]);
}

export async function insertGuestSecret(
  tx: Tx,
  playerId: PlayerId,
  secretHash: Buffer,
): Promise<void> {
  await tx.run("insert into guest_secrets (player_id, secret_hash) values ($1, $2)", [
    playerId,
    secretHash,
  ]);
}

export async function selectPlayer(sql: Sql, playerId: PlayerId): Promise<PlayerRow | undefined> {
  const rows = await sql.rows<PlayerRow>("select id, name from players where id = $1", [playerId]);
  return rows[0];
}

export async function selectPlayerBySecret(
  sql: Sql,
  secretHash: Buffer,
): Promise<PlayerRow | undefined> {
  const rows = await sql.rows<PlayerRow>(
    `select id, name from guest_secrets join players on id = player_id where secret_hash = $1`,
    [secretHash],
  );
  return rows[0];
}

/** The player as renamed; undefined when there is none of that id. */
export async function updateName(
  sql: Sql,
  playerId: PlayerId,
  name: string,
): Promise<PlayerRow | undefined> {
  const rows = await sql.rows<PlayerRow>(
    "update players set name = $2 where id = $1 returning id, name",
    [playerId, name],
  );
  return rows[0];
}

export async function insertRefreshToken(
  sql: Sql,
  token: {
    readonly hash: Buffer;
    readonly family: string;
    readonly playerId: PlayerId;
    readonly device: string;
    readonly createdAt: Date;
    readonly expiresAt: Date;
  },
): Promise<void> {
  await sql.run(
    `insert into refresh_tokens (token_hash, family, player_id, device, created_at, expires_at)
     values ($1, $2, $3, $4, $5, $6)`,
    [token.hash, token.family, token.playerId, token.device, token.createdAt, token.expiresAt],
  );
}

/** The token and what became of its successor; other presentations of it wait. */
export async function lockRefreshToken(tx: Tx, hash: Buffer): Promise<RefreshRow | undefined> {
  const rows = await tx.rows<RefreshRow>(
    `select t.family, t.player_id, t.device, t.expires_at, t.used_at, t.revoked_at,
            s.expires_at as successor_expires_at,
            coalesce(s.used_at is not null, false) as successor_used
     from refresh_tokens t
     left join refresh_tokens s on s.token_hash = t.successor_hash
     where t.token_hash = $1
     for update of t`,
    [hash],
  );
  return rows[0];
}

export async function markRefreshUsed(
  tx: Tx,
  hash: Buffer,
  successorHash: Buffer,
  usedAt: Date,
): Promise<void> {
  await tx.run(
    "update refresh_tokens set used_at = $3, successor_hash = $2 where token_hash = $1",
    [hash, successorHash, usedAt],
  );
}

export async function revokeFamily(sql: Sql, family: string, revokedAt: Date): Promise<void> {
  await sql.run(
    "update refresh_tokens set revoked_at = $2 where family = $1 and revoked_at is null",
    [family, revokedAt],
  );
}

/** Ends the family of that token, whichever of its tokens it is; 0 when it is unknown. */
export function revokeFamilyOf(sql: Sql, hash: Buffer, revokedAt: Date): Promise<number> {
  return sql.run(
    `update refresh_tokens set revoked_at = coalesce(revoked_at, $2)
     where family = (select family from refresh_tokens where token_hash = $1)`,
    [hash, revokedAt],
  );
}
