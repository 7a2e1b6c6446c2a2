/** Where ledger, wallets, items and operations do not agree. */
import { z } from "zod";

export const DIFFERENCE_KINDS = ["wallet", "operation", "ledger", "item"] as const;

export const Difference = z.object({
  /** A wallet that is not what was booked; an operation or the whole ledger that does not sum to zero; an item that is not its last operation's. */
  kind: z.enum(DIFFERENCE_KINDS),
  /** The player and currency, the operation and currency, the currency, or the item. */
  subject: z.string(),
  expected: z.string(),
  actual: z.string(),
});
export type Difference = z.infer<typeof Difference>;

/** `GET /ops/reconcile`. */
export const ReconcileStatus = z.object({
  running: z.boolean(),
  /** Counts the runs that ended, since the core's start. */
  runs: z.number(),
  /** Why the last one did not come to its end. */
  failure: z.string().nullable(),
  /** All that were found and are still there; the first of them. */
  total: z.number(),
  differences: z.array(Difference),
});
export type ReconcileStatus = z.infer<typeof ReconcileStatus>;
