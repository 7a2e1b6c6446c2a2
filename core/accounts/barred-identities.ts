/**
 * Bans that outlive their account: whoever deletes a banned account can't come back with the same
 * address or identity before the ban ends. Only a MAC of it is kept, and housekeeping deletes it then.
 */
import type { Clock } from "../../shared/clock.ts";
import type { Ban } from "../../shared/errors.ts";
import type { Sql, Tx } from "../db/database.ts";
import { Mac } from "../tickets/master-key.ts";
import { bannedFor } from "./ban.ts";

const MAC_BYTES = 16;

export class BarredIdentities {
  readonly #mac: Mac;
  readonly #clock: Clock;

  constructor(master: Buffer, clock: Clock) {
    this.#mac = new Mac(master, "barred-identity", MAC_BYTES);
    this.#clock = clock;
  }

  /** @throws {MeridianError} `banned` */
  async requireOpen(sql: Sql, identity: string): Promise<void> {
    const ban = await selectBarred(sql, this.#mac.of(identity), new Date(this.#clock.nowMs()));
    if (ban) throw bannedFor(ban);
  }

  async bar(tx: Tx, identity: string, ban: Ban): Promise<void> {
    await insertBarred(tx, this.#mac.of(identity), ban);
  }
}

async function selectBarred(sql: Sql, mac: Buffer, now: Date): Promise<Ban | undefined> {
  const rows = await sql.rows<{ ban_reason: string; ban_ends_at: Date | null }>(
    `select ban_reason, ban_ends_at from barred_identities
     where identity_mac = $1 and (ban_ends_at is null or ban_ends_at > $2)`,
    [mac, now],
  );
  const row = rows[0];
  return row && { reason: row.ban_reason, endsAt: row.ban_ends_at?.toISOString() ?? null };
}

async function insertBarred(tx: Tx, mac: Buffer, ban: Ban): Promise<void> {
  await tx.run(
    `insert into barred_identities (identity_mac, ban_reason, ban_ends_at) values ($1, $2, $3)
     on conflict (identity_mac) do update
       set ban_reason = excluded.ban_reason, ban_ends_at = excluded.ban_ends_at`,
    [mac, ban.reason, ban.endsAt],
  );
}
