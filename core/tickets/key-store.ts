/** The signing keys' rows. */
import type { JWK } from "jose";
import type { Sql, Tx } from "../db/database.ts";

export interface KeyRow {
  readonly kid: string;
  readonly public_jwk: JWK;
  readonly private_sealed: Buffer;
  readonly created_at: Date;
}

/** Holds off other processes that would make or rotate a key at the same moment. */
export async function lockKeys(tx: Tx): Promise<void> {
  await tx.run("lock table signing_keys in share row exclusive mode");
}

/** Newest first. */
export function selectKeys(sql: Sql, limit: number): Promise<KeyRow[]> {
  return sql.rows<KeyRow>(
    `select kid, public_jwk, private_sealed, created_at from signing_keys
     order by created_at desc, kid desc limit $1`,
    [limit],
  );
}

export async function insertKey(tx: Tx, row: KeyRow): Promise<void> {
  await tx.run(
    `insert into signing_keys (kid, public_jwk, private_sealed, created_at)
     values ($1, $2, $3, $4)`,
    [row.kid, row.public_jwk, row.private_sealed, row.created_at],
  );
}

export async function deleteKeys(tx: Tx, kids: readonly string[]): Promise<void> {
  await tx.run("delete from signing_keys where kid = any($1)", [kids]);
}
