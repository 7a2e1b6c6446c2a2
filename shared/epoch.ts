/**
 * Epochs fence old owners of a region, a room or a player's session.
 *
 * An epoch is a pair `[coreTerm, n]`, ordered by term first. `n` is granted by compare-and-set in the
 * core's database; `coreTerm` rises before a promoted or restored core serves, so an epoch that a
 * lost database had granted can never be granted again.
 */
import { z } from "zod";

const counter = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);

/** `[coreTerm, n]`, both whole numbers from 0. */
export const Epoch = z.tuple([counter, counter]).readonly();
export type Epoch = z.infer<typeof Epoch>;

/** Before anything was granted: lower than every granted epoch. */
export const EPOCH_NONE: Epoch = [0, 0];

/** Negative when `a` is older than `b`, positive when newer, 0 when they are the same. */
export function compareEpochs(a: Epoch, b: Epoch): number {
  return a[0] - b[0] || a[1] - b[1];
}

/** The epoch that follows `current` under the core's present term. */
export function nextEpoch(current: Epoch, coreTerm: number): Epoch {
  return [Math.max(coreTerm, current[0]), current[1] + 1];
}
