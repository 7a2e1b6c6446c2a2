/** Rows of operator tokens: one function a statement. */
import type { OperatorRole } from "../../shared/protocol/ops.ts";
import type { Sql } from "../db/database.ts";

export interface OperatorRow {
  readonly id: string;
  readonly token_hash: Buffer;
  readonly name: string;
  readonly role: OperatorRole;
  readonly created_at: Date;
  readonly revoked_at: Date | null;
}

/** Active ones first, newest first. */
export function selectOperators(sql: Sql, limit: number): Promise<OperatorRow[]> {
  return sql.rows<OperatorRow>(
    `select id, token_hash, name, role, created_at, revoked_at from operator_tokens
     order by revoked_at is not null, created_at desc limit $1`,
    [limit],
  );
}

export async function countActiveOperators(sql: Sql): Promise<number> {
  const rows = await sql.rows<{ count: number }>(
    "select count(*) as count from operator_tokens where revoked_at is null",
  );
  return rows[0]?.count ?? 0;
}

/** A token that is there already, also a revoked one, stays as it is. */
export async function insertOperator(
  sql: Sql,
  operator: Omit<OperatorRow, "revoked_at">,
): Promise<void> {
  await sql.run(
    `insert into operator_tokens (id, token_hash, name, role, created_at)
     values ($1, $2, $3, $4, $5) on conflict (token_hash) do nothing`,
    [operator.id, operator.token_hash, operator.name, operator.role, operator.created_at],
  );
}

/** False when there is no active token of that id. */
export async function revokeOperator(sql: Sql, id: string, revokedAt: Date): Promise<boolean> {
  const touched = await sql.run(
    "update operator_tokens set revoked_at = $2 where id = $1 and revoked_at is null",
    [id, revokedAt],
  );
  return touched === 1;
}
