/** What a room that `tellsSaved` tells each player's client of their documents. */
import { z } from "zod";

export const SAVED_MESSAGE = "meridian:saved";

/** Numbers of changes; they begin anew with each stay in a room, and after a failover. */
export const Saved = z.object({
  /** Changes up to this one can't be lost any more. */
  savedRevision: z.int().nonnegative(),
  /** The newest change. While it is higher, something is still on its way. */
  revision: z.int().nonnegative(),
});
export type Saved = z.infer<typeof Saved>;

export const NOTHING_SAVED: Saved = { savedRevision: 0, revision: 0 };
