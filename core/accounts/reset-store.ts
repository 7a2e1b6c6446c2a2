/** Rows of password resets: one function a statement. */
import type { PlayerId } from "../../shared/ids.ts";
import type { Sql, Tx } from "../db/database.ts";

/** Notes a reset for the account of that address, if it is that player's; undefined when there is none. */
export async function insertReset(
  sql: Sql,
  reset: {
    readonly address: string;
    /** Anybody's, without it. */
    readonly playerId: string | undefined;
    readonly tokenHash: Buffer;
    readonly expiresAt: Date;
  },
): Promise<{ readonly name: string } | undefined> {
  const rows = await sql.rows<{ name: string }>(
    `with account as (
       select e.player_id, p.name from emails e join players p on p.id = e.player_id
       where e.address = $1 and ($4::uuid is null or e.player_id = $4)),
     made as (
       insert into password_resets (token_hash, player_id, expires_at)
       select $2, player_id, $3 from account)
     select name from account`,
    [reset.address, reset.tokenHash, reset.expiresAt, reset.playerId ?? null],
  );
  return rows[0];
}

/** Whose token it is, if it is good. */
export async function selectReset(
  sql: Sql,
  tokenHash: Buffer,
  now: Date,
): Promise<PlayerId | undefined> {
  const rows = await sql.rows<{ player_id: PlayerId }>(
    "select player_id from password_resets where token_hash = $1 and expires_at > $2",
    [tokenHash, now],
  );
  return rows[0]?.player_id;
}

export async function deleteResets(tx: Tx, playerId: PlayerId): Promise<void> {
  await tx.run("delete from password_resets where player_id = $1", [playerId]);
}
