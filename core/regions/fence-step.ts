/**
 * A region's lives: how a fence ends one, what a node is answered that serves in which, and whether a
 * claim made in one may be granted. Pure.
 *
 * A fence raises the region's epoch, so whatever was granted under the former one is refused from then on.
 * The end of a fence raises nothing: nodes take new rooms under the epoch of the fence. So a node that heard
 * of neither still names the epoch from before, and learns that its rooms are not its own any more.
 */
import { compareEpochs, EPOCH_NONE, type Epoch, nextEpoch } from "../../shared/epoch.ts";

/** What an operator wants of a region. */
export type Wanted = "active" | "draining" | "fenced";

export interface RegionLife {
  readonly epoch: Epoch;
  readonly wanted: Wanted;
}

/** The life after a fence; a region that is fenced stays in the one it has. */
export function fenced(life: RegionLife, coreTerm: number): RegionLife {
  if (life.wanted === "fenced") return life;
  return { epoch: nextEpoch(life.epoch, coreTerm), wanted: "fenced" };
}

/** The life after the end of a fence; one that is not fenced stays as it is. */
export function unfenced(life: RegionLife): RegionLife {
  return life.wanted === "fenced" ? { ...life, wanted: "active" } : life;
}

/** What a node is told. @param servesIn the epoch that it names; `EPOCH_NONE` before its first answer */
export function answerTo(servesIn: Epoch, life: RegionLife): Wanted {
  return isOver(servesIn, life) ? "fenced" : life.wanted;
}

/** Whether a node that serves in that epoch may take a room. */
export function mayClaim(servesIn: Epoch, life: RegionLife): boolean {
  return life.wanted !== "fenced" && !isOver(servesIn, life);
}

function isOver(servesIn: Epoch, { epoch }: RegionLife): boolean {
  return compareEpochs(servesIn, EPOCH_NONE) !== 0 && compareEpochs(servesIn, epoch) < 0;
}
