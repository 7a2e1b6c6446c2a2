/** What the database says of money and items, all of one moment. */
import pg from "pg";
import type { Refusal, ValueChange } from "../../../shared/protocol/value.ts";

export interface OpRow {
  readonly id: string;
  readonly changes: readonly ValueChange[];
  readonly refusal: Refusal | null;
  readonly roomId: string;
  readonly opSeq: number;
}

export interface LedgerRow {
  readonly opId: string;
  readonly playerId: string;
  readonly currency: string;
  readonly amount: number;
}

export interface Tables {
  /** In the order in which they were decided. */
  readonly ops: readonly OpRow[];
  readonly ledger: readonly LedgerRow[];
  readonly wallets: readonly Omit<LedgerRow, "opId">[];
  readonly items: readonly { readonly itemId: string; readonly ownerId: string }[];
}

const OPS = `select op_id as id, body as changes, refusal, room_id as "roomId", op_seq::int as "opSeq"
  from ops order by n`;
const LEDGER = `select op_id as "opId", player_id as "playerId", currency, amount::float8 as amount
  from ledger`;
const WALLETS = `select player_id as "playerId", currency, balance::float8 as amount from wallets`;
const ITEMS = `select item_id as "itemId", owner_id as "ownerId" from items`;
const STATEMENT_TIMEOUT_MS = 60_000;

/** @param databaseUrl of the schema's owner */
export async function readTables(databaseUrl: string): Promise<Tables> {
  const client = new pg.Client({
    connectionString: databaseUrl,
    query_timeout: STATEMENT_TIMEOUT_MS,
    options: "-c search_path=meridian",
  });
  await client.connect();
  try {
    await client.query("begin isolation level repeatable read read only");
    const rows = async (text: string) => (await client.query(text)).rows;
    return {
      ops: await rows(OPS),
      ledger: await rows(LEDGER),
      wallets: await rows(WALLETS),
      items: await rows(ITEMS),
    };
  } finally {
    await client.end();
  }
}
