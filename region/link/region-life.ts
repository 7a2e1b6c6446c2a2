/**
 * Which of its region's lives a node serves in, and when that is over. Pure.
 *
 * A node that starts takes the life that it is told. It is fenced when the core says so, or when the core
 * names a later life than the node's own: then a fence came and went while the node was cut off. From then on
 * it names the later life, serves nothing of the former one, and serves again once the core says that it may.
 */
import { compareEpochs, EPOCH_NONE, type Epoch } from "../../shared/epoch.ts";
import type { HeartbeatAnswer } from "../../shared/protocol/link.ts";

export interface RegionLife {
  /** `EPOCH_NONE` before the first answer. */
  readonly epoch: Epoch;
  readonly fenced: boolean;
}

export const LIFE_UNKNOWN: RegionLife = { epoch: EPOCH_NONE, fenced: false };

/** @returns the life after it, and whether all that runs is to end */
export function lifeAfter(
  life: RegionLife,
  told: Pick<HeartbeatAnswer, "regionEpoch" | "wanted">,
): { readonly life: RegionLife; readonly over: boolean } {
  const { regionEpoch: epoch, wanted } = told;
  const serves = compareEpochs(life.epoch, EPOCH_NONE) !== 0;
  const later = compareEpochs(epoch, life.epoch) > 0;
  const fenced = wanted === "fenced" || (serves && later);
  return { life: { epoch, fenced }, over: fenced && (later || !life.fenced) };
}
