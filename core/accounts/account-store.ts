/** Rows of players, guests' secrets and identities: one function a statement. */
import type { PlayerId } from "../../shared/ids.ts";
import type { Sql, Tx } from "../db/database.ts";
import type { BanRow } from "./ban.ts";
import type { NewRefreshToken } from "./log-in-store.ts";

export interface PlayerRow extends BanRow {
  readonly id: PlayerId;
  readonly name: string;
}

export interface MeRow {
  readonly id: PlayerId;
  readonly name: string;
  readonly email: string | null;
  readonly identified: boolean;
}

/** A player who has just been made is not banned. */
export const NOT_BANNED: BanRow = { banned_at: null, ban_ends_at: null, ban_reason: null };
const PLAYER = "id, name, banned_at, ban_ends_at, ban_reason";

export interface NewPlayer {
  readonly id: PlayerId;
  readonly name: string;
  readonly ephemeral: boolean;
  readonly createdAt: Date;
}

export async function insertPlayer(sql: Sql, player: NewPlayer): Promise<void> {
  await sql.run("insert into players (id, name, ephemeral, created_at) values ($1, $2, $3, $4)", [
    player.id,
    player.name,
    player.ephemeral,
    player.createdAt,
  ]);
}

/**
 * A player, the secret and the first refresh token, or none of them. One statement, because a new guest
 * is the commonest of all writes: three in a transaction were five exchanges with the database.
 */
export async function insertGuest(
  sql: Sql,
  player: NewPlayer,
  secretHash: Buffer,
  token: NewRefreshToken,
): Promise<void> {
  await sql.run(
    `with player as (
       insert into players (id, name, ephemeral, created_at) values ($1, $2, $3, $4) returning id),
     secret as (
       insert into guest_secrets (player_id, secret_hash) select id, $5 from player)
     insert into refresh_tokens (token_hash, family, player_id, device, created_at, expires_at)
     select $6, $7, id, $8, $9, $10 from player`,
    [
      player.id,
      player.name,
      player.ephemeral,
      player.createdAt,
      secretHash,
      token.hash,
      token.family,
      token.device,
      token.createdAt,
      token.expiresAt,
    ],
  );
}

/**
 * The player's row, which stays as it is until the transaction ends. Everything that begins, goes on
 * with or ends a player's log-ins holds it first, so that none of it can miss another.
 */
export async function lockPlayer(tx: Tx, playerId: PlayerId): Promise<PlayerRow | undefined> {
  const rows = await tx.rows<PlayerRow>(
    `select ${PLAYER} from players where id = $1 for no key update`,
    [playerId],
  );
  return rows[0];
}

/** As `lockPlayer`, and no join can begin: one that has begun is waited for. */
export async function lockPlayerToDelete(tx: Tx, playerId: PlayerId): Promise<boolean> {
  return (await tx.rows("select from players where id = $1 for update", [playerId])).length === 1;
}

export async function selectPlayer(sql: Sql, playerId: PlayerId): Promise<PlayerRow | undefined> {
  const rows = await sql.rows<PlayerRow>(`select ${PLAYER} from players where id = $1`, [playerId]);
  return rows[0];
}

export async function selectMe(sql: Sql, playerId: PlayerId): Promise<MeRow | undefined> {
  const rows = await sql.rows<MeRow>(
    `select p.id, p.name, e.address as email,
            exists (select from identities i where i.player_id = p.id) as identified
     from players p left join emails e on e.player_id = p.id where p.id = $1`,
    [playerId],
  );
  return rows[0];
}

/** Whether there was such a player. */
export async function updateName(sql: Sql, playerId: PlayerId, name: string): Promise<boolean> {
  return (await sql.run("update players set name = $2 where id = $1", [playerId, name])) === 1;
}

/** Everything that hangs on the player goes along. */
export async function deletePlayer(tx: Tx, playerId: PlayerId): Promise<void> {
  await tx.run("delete from players where id = $1", [playerId]);
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

export async function selectPlayerIdBySecret(
  sql: Sql,
  secretHash: Buffer,
): Promise<PlayerId | undefined> {
  const rows = await sql.rows<{ player_id: PlayerId }>(
    "select player_id from guest_secrets where secret_hash = $1",
    [secretHash],
  );
  return rows[0]?.player_id;
}

/** Whether the player had one. */
export async function deleteGuestSecret(tx: Tx, playerId: PlayerId): Promise<boolean> {
  return (await tx.run("delete from guest_secrets where player_id = $1", [playerId])) === 1;
}

export async function selectPlayerIdByIdentity(
  sql: Sql,
  issuer: string,
  subject: string,
): Promise<PlayerId | undefined> {
  const rows = await sql.rows<{ player_id: PlayerId }>(
    "select player_id from identities where issuer = $1 and subject = $2",
    [issuer, subject],
  );
  return rows[0]?.player_id;
}

/** False when the identity has an account already. */
export async function insertIdentity(
  tx: Tx,
  identity: {
    readonly issuer: string;
    readonly subject: string;
    readonly playerId: PlayerId;
    readonly createdAt: Date;
  },
): Promise<boolean> {
  const inserted = await tx.run(
    `insert into identities (issuer, subject, player_id, created_at) values ($1, $2, $3, $4)
     on conflict (issuer, subject) do nothing`,
    [identity.issuer, identity.subject, identity.playerId, identity.createdAt],
  );
  return inserted === 1;
}
