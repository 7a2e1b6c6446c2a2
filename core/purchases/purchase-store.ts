/** Rows of purchases: one function a statement. */
import type { PlayerId } from "../../shared/ids.ts";
import type { OpId } from "../../shared/protocol/value.ts";
import type { Sql, Tx } from "../db/database.ts";

/** More than this are not listed; the newest come first. */
const ROWS_MAX = 1_000;

export interface NewPurchase {
  readonly store: string;
  readonly transactionId: string;
  readonly productId: string;
  readonly playerId: PlayerId;
  readonly opId: OpId;
  readonly at: Date;
}

export interface PurchaseRow {
  readonly player_id: PlayerId;
  readonly product_id: string;
  /** What was carried out for it. */
  readonly body: unknown;
}

/** False when it is there already. One that is being granted at this moment is waited for. */
export async function insertPurchase(tx: Tx, purchase: NewPurchase): Promise<boolean> {
  const { store, transactionId, productId, playerId, opId, at } = purchase;
  const inserted = await tx.run(
    `insert into purchases (store, transaction_id, product_id, player_id, op_id, granted_at)
     values ($1, $2, $3, $4, $5, $6) on conflict do nothing`,
    [store, transactionId, productId, playerId, opId, at],
  );
  return inserted === 1;
}

export async function selectPurchase(
  sql: Sql,
  store: string,
  transactionId: string,
): Promise<PurchaseRow | undefined> {
  const rows = await sql.rows<PurchaseRow>(
    `select p.player_id, p.product_id, o.body from purchases p join ops o using (op_id)
     where p.store = $1 and p.transaction_id = $2`,
    [store, transactionId],
  );
  return rows[0];
}

export function selectPurchasesOf(
  sql: Sql,
  playerId: PlayerId,
): Promise<{ store: string; transaction_id: string; product_id: string; granted_at: Date }[]> {
  return sql.rows(
    `select store, transaction_id, product_id, granted_at from purchases
     where player_id = $1 order by granted_at desc limit $2`,
    [playerId, ROWS_MAX],
  );
}
