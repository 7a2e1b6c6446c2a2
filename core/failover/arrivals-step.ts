/**
 * When players whose room was failed over get their answer. Pure.
 *
 * All of them ask within the same moment. Each gets a slot at the node that they go to, one behind the other and
 * evenly, with some jitter within it: so they arrive at the pace that the node can take beside its own players.
 */

export interface Lane {
  /** From when the next slot may be, monotonic ms. */
  readonly freeMs: number;
}

export const FREE_LANE: Lane = { freeMs: Number.NEGATIVE_INFINITY };

export interface Pace {
  readonly perSecond: number;
  /** 0 to 1: where within their slot a player comes. */
  readonly random: number;
}

/** The next slot of a node, and its lane after that. */
export function nextSlot(
  lane: Lane,
  nowMs: number,
  { perSecond, random }: Pace,
): readonly [Lane, number] {
  const spacingMs = 1_000 / perSecond;
  const beginMs = Math.max(lane.freeMs, nowMs);
  return [{ freeMs: beginMs + spacingMs }, beginMs + random * spacingMs];
}
