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

/**
 * The family of that token; whoever else changes the family waits until `tx` ends. Undefined when the
 * token is unknown.
 *
 * It must be a statement of its own, before any that reads the family: one that waits for a lock goes
 * on with the snapshot from before, and so misses a successor that was inserted while it waited. Row
 * locks don't do, for a row that is still to be inserted can't be locked.
 */
export async function lockFamily(tx: Tx, hash: Buffer): Promise<string | undefined> {
  const rows = await tx.rows<{ family: string }>(
    `select family, pg_advisory_xact_lock(hashtextextended(family::text, 0))
     from refresh_tokens where token_hash = $1`,
    [hash],
  );
  return rows[0]?.family;
}

/** The token and what became of its successor; its family must be locked. */
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

/** Ends all tokens of the family, which must be locked. */
export async function revokeFamily(tx: Tx, family: string, revokedAt: Date): Promise<void> {
  await tx.run(
    "update refresh_tokens set revoked_at = $2 where family = $1 and revoked_at is null",
    [family, revokedAt],
  );
}
