/** Writes what was decided: for operations of rooms, for those that are sent again, and for purchases. */
import type { Committed, WalletRow } from "../../shared/value/value-step.ts";
import type { Tx } from "../db/database.ts";
import { book, writeItems } from "./value-store.ts";

/** Undoes the transaction: the operation was decided before, or is so at this moment by another. */
export class DecidedElsewhere extends Error {}

/**
 * Books amounts and moves items, by statements that are sent together.
 * @returns the wallets that it changed
 * @throws {DecidedElsewhere} when an item of it was made at this moment
 */
export async function writeCommitted(
  tx: Tx,
  opId: string,
  committed: Committed,
  at: Date,
): Promise<WalletRow[]> {
  const [wallets, written] = await Promise.all([
    committed.wallets.length > 0 ? book(tx, opId, committed, at) : [],
    writeItems(tx, opId, committed),
  ]);
  if (!written) throw new DecidedElsewhere();
  return wallets;
}
