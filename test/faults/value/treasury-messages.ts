/** What players of the treasury ask for and write, and what the room tells them of it. */
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

const count = z.int().nonnegative();

/** What a player's diary (class B) has: how many notes, and the number of the newest. */
export const Entries = z.object({ count, last: count });
export type Entries = z.infer<typeof Entries>;

/** Asks for the diary as the room has it. */
export const OpenDiary = z.object({ page: count });
export type OpenDiary = z.infer<typeof OpenDiary>;
/** The answer to it. */
export const DiaryOpened = Entries.extend({ page: count });

/** One more entry. Its number is used once in a player's life, and is higher than those before it. */
export const Note = z.object({ note: z.int().positive() });
export type Note = z.infer<typeof Note>;

/** The room has made the entry, as the change `revision`; it is not saved yet. */
export const Noted = Entries.extend({ note: z.int().positive(), revision: count });
/** It has not. */
export const NotNoted = z.object({ note: z.int().positive(), why: z.string() });
