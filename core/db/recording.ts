import type { Tx } from "./database.ts";

/** Puts what is done on record in the transaction that does it, as its last statement. */
export type Recording = (tx: Tx) => Promise<void>;

/** Where no operator does it. */
export const unrecorded: Recording = async () => {};
