/**
 * Who owns a player's state: at most one session at a node, under the epoch that it was granted when it
 * loaded the player. Pure: the player's rows, locked by the caller, go in; the decision comes out.
 *
 * The next owner waits until the one before has released the player, which it says in its outbox behind its
 * last change: so the next one loads all that was changed. An owner that is gone can't say it; then the
 * next one is let in, and what is found of the former one's later is refused.
 */
import { compareEpochs, EPOCH_NONE, type Epoch, nextEpoch } from "../../shared/epoch.ts";
import type { NodeId } from "../../shared/ids.ts";
import type { LoadRequest } from "../../shared/protocol/player-state.ts";
import type { OwnedPlayer } from "./applier-step.ts";

export interface Ownership extends OwnedPlayer {
  /** The load that it was granted to; undefined when the core has lost that since. */
  readonly loadId: string | undefined;
  readonly sessionEpoch: Epoch;
  readonly nodeId: NodeId;
}

export interface LoadRows {
  /** The newest session of the player that got a seat. */
  readonly placedEpoch: Epoch;
  /** The newest that was granted at all. */
  readonly grantedEpoch: Epoch;
  readonly owner: Ownership | undefined;
  readonly coreTerm: number;
  /** Whether the owner's node may still write, or have written what was not applied yet. */
  readonly ownerAlive: boolean;
}

export type LoadDecision =
  /** `isNew` unless the same load was granted before. */
  | { readonly outcome: "granted"; readonly owner: Ownership; readonly isNew: boolean }
  | { readonly outcome: "wait"; readonly owner: Ownership }
  /** That load was granted to another node or session. */
  | { readonly outcome: "conflict" }
  /** A newer session has a seat, or the player's state already. */
  | { readonly outcome: "taken_over" }
  /** No such session was ever granted: it would shut out all that ever will be. */
  | { readonly outcome: "never_granted" };

export function decideLoad(rows: LoadRows, request: LoadRequest): LoadDecision {
  const { placedEpoch, owner, coreTerm, ownerAlive } = rows;
  const { loadId, sessionEpoch, nodeId } = request;
  if (isOfTheFuture(sessionEpoch, rows)) return { outcome: "never_granted" };
  if (owner && owner.loadId === loadId) {
    const same = owner.nodeId === nodeId && compareEpochs(owner.sessionEpoch, sessionEpoch) === 0;
    return same ? { outcome: "granted", owner, isNew: false } : { outcome: "conflict" };
  }
  if (compareEpochs(placedEpoch, sessionEpoch) > 0) return { outcome: "taken_over" };
  if (owner && compareEpochs(owner.sessionEpoch, sessionEpoch) > 0) {
    return { outcome: "taken_over" };
  }
  if (owner?.standing === "held" && ownerAlive) return { outcome: "wait", owner };
  const stateEpoch = nextEpoch(owner?.stateEpoch ?? EPOCH_NONE, coreTerm);
  const granted = { stateEpoch, standing: "held", loadId, sessionEpoch, nodeId } as const;
  return { outcome: "granted", owner: granted, isNew: true };
}

/**
 * A session of a former term may be newer than what is known of it: a core that was restored from a backup
 * has forgotten the last ones. Every session of this term is above it, so it shuts out nobody for good.
 */
function isOfTheFuture(epoch: Epoch, { grantedEpoch, coreTerm }: LoadRows): boolean {
  return epoch[0] >= coreTerm && compareEpochs(epoch, grantedEpoch) > 0;
}
