/** Rows of refresh tokens: one function a statement. */
import type { PlayerId } from "../../shared/ids.ts";
import type { Sql, Tx } from "../db/database.ts";

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

export interface NewRefreshToken {
  readonly hash: Buffer;
  readonly family: string;
  readonly playerId: PlayerId;
  readonly device: string;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

export async function insertRefreshToken(tx: Tx, token: NewRefreshToken): Promise<void> {
  await tx.run(
    `insert into refresh_tokens (token_hash, family, player_id, device, created_at, expires_at)
     values ($1, $2, $3, $4, $5, $6)`,
    [token.hash, token.family, token.playerId, token.device, token.createdAt, token.expiresAt],
  );
}

/** Whose token it is; undefined for an unknown one. */
export async function selectTokenOwner(sql: Sql, hash: Buffer): Promise<PlayerId | undefined> {
  const rows = await sql.rows<{ player_id: PlayerId }>(
    "select player_id from refresh_tokens where token_hash = $1",
    [hash],
  );
  return rows[0]?.player_id;
}

/**
 * The token and what became of its successor. The player's row must be held already: a statement that
 * waited for a lock itself would see the successor as it was before the wait.
 */
export async function selectRefreshToken(tx: Tx, hash: Buffer): Promise<RefreshRow | undefined> {
  const rows = await tx.rows<RefreshRow>(
    `select t.family, t.player_id, t.device, t.expires_at, t.used_at, t.revoked_at,
            s.expires_at as successor_expires_at,
            coalesce(s.used_at is not null, false) as successor_used
     from refresh_tokens t
     left join refresh_tokens s on s.token_hash = t.successor_hash
     where t.token_hash = $1`,
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

export async function revokeFamily(tx: Tx, family: string, revokedAt: Date): Promise<void> {
  await tx.run(
    "update refresh_tokens set revoked_at = $2 where family = $1 and revoked_at is null",
    [family, revokedAt],
  );
}

export async function revokeAll(tx: Tx, playerId: PlayerId, revokedAt: Date): Promise<void> {
  await tx.run(
    "update refresh_tokens set revoked_at = $2 where player_id = $1 and revoked_at is null",
    [playerId, revokedAt],
  );
}
