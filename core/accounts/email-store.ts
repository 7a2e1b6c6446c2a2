/** Rows of addresses, password resets and known networks: one function a statement. */
import type { PlayerId } from "../../shared/ids.ts";
import type { Sql, Tx } from "../db/database.ts";

/** Networks remembered for one account; the one that was not seen for longest goes. */
const PREFIXES_MAX = 8;

export interface EmailRow {
  readonly player_id: PlayerId;
  readonly address: string;
  readonly password_hash: string;
  readonly password_changed_at: Date;
  /** Whether the account logged in from that network before. */
  readonly prefix_known: boolean;
}

const EMAIL = `e.player_id, e.address, e.password_hash, e.password_changed_at,
  exists (select from known_prefixes k
          where k.player_id = e.player_id and k.prefix_mac = $2) as prefix_known`;

export async function selectEmail(
  sql: Sql,
  address: string,
  prefixMac: Buffer,
): Promise<EmailRow | undefined> {
  const text = `select ${EMAIL} from emails e where e.address = $1`;
  return (await sql.rows<EmailRow>(text, [address, prefixMac]))[0];
}

export async function selectEmailOf(
  sql: Sql,
  playerId: PlayerId,
  prefixMac: Buffer,
): Promise<EmailRow | undefined> {
  const text = `select ${EMAIL} from emails e where e.player_id = $1`;
  return (await sql.rows<EmailRow>(text, [playerId, prefixMac]))[0];
}

/** Undefined for a player without an address. */
export async function selectPasswordHash(
  sql: Sql,
  playerId: PlayerId,
): Promise<string | undefined> {
  const rows = await sql.rows<{ password_hash: string }>(
    "select password_hash from emails where player_id = $1",
    [playerId],
  );
  return rows[0]?.password_hash;
}

/** False when the address is taken, or the player has one. Another insertion of it is waited for. */
export async function insertEmail(
  tx: Tx,
  email: {
    readonly playerId: PlayerId;
    readonly address: string;
    readonly passwordHash: string;
    readonly createdAt: Date;
  },
): Promise<boolean> {
  const inserted = await tx.run(
    `insert into emails (player_id, address, password_hash, created_at, password_changed_at)
     values ($1, $2, $3, $4, $4) on conflict do nothing`,
    [email.playerId, email.address, email.passwordHash, email.createdAt],
  );
  return inserted === 1;
}

/** False when the password is not `former` any more. */
export async function updatePassword(
  tx: Tx,
  change: {
    readonly playerId: PlayerId;
    readonly former: string;
    readonly next: string;
    readonly changedAt: Date;
  },
): Promise<boolean> {
  const touched = await tx.run(
    `update emails set password_hash = $3, password_changed_at = $4
     where player_id = $1 and password_hash = $2`,
    [change.playerId, change.former, change.next, change.changedAt],
  );
  return touched === 1;
}

/** The same password under today's parameters. */
export async function updateHash(
  tx: Tx,
  playerId: PlayerId,
  former: string,
  next: string,
): Promise<void> {
  await tx.run("update emails set password_hash = $3 where player_id = $1 and password_hash = $2", [
    playerId,
    former,
    next,
  ]);
}

export async function rememberPrefix(
  tx: Tx,
  playerId: PlayerId,
  prefixMac: Buffer,
  seenAt: Date,
): Promise<void> {
  await tx.run(
    `insert into known_prefixes (player_id, prefix_mac, seen_at) values ($1, $2, $3)
     on conflict (player_id, prefix_mac) do update set seen_at = excluded.seen_at`,
    [playerId, prefixMac, seenAt],
  );
}

export async function forgetOldPrefixes(tx: Tx, playerId: PlayerId): Promise<void> {
  await tx.run(
    `delete from known_prefixes where (player_id, prefix_mac) in
       (select player_id, prefix_mac from known_prefixes where player_id = $1
        order by seen_at desc offset $2)`,
    [playerId, PREFIXES_MAX],
  );
}
