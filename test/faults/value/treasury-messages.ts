/** What players of the treasury ask for, and what the room tells them once the outcome is known. */
import { z } from "zod";
import { SessionId } from "../../../shared/ids.ts";
import { Cause, OpId, Refusal, ValueChange } from "../../../shared/protocol/value.ts";

const AMOUNT_MAX = 1_000;

/**
 * One operation. `earn` is out of nothing, `pay` goes to the partner, `gem` makes an item, and `trade`
 * gives the partner a gem for money.
 */
export const Ask = z.object({
  kind: z.enum(["earn", "pay", "gem", "trade"]),
  /** The player's own word for it, used for nothing else in any room. */
  cause: Cause,
  amount: z.int().min(1).max(AMOUNT_MAX),
  partner: SessionId.optional(),
});
export type Ask = z.infer<typeof Ask>;

/** Sent as soon as the core's decision is durable, and never before. */
export const Told = z.object({
  cause: Cause,
  id: OpId,
  changes: z.array(ValueChange),
  /** Null: it was committed. */
  refusal: Refusal.nullable(),
});
export type Told = z.infer<typeof Told>;

/** Nothing is known, or nothing was tried: no promise was made. */
export const NotTold = z.object({ cause: Cause, why: z.string() });
