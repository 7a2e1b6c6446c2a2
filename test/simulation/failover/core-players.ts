/** The core: players' sessions, who owns their documents, and what owners write. */
import type { Ownership } from "../../../core/sync/ownership-step.ts";
import { EPOCH_NONE, type Epoch, nextEpoch } from "../../../shared/epoch.ts";
import type { NodeId, PlayerId } from "../../../shared/ids.ts";
import type { LoadRequest } from "../../../shared/protocol/player-state.ts";
import type { CoreModel } from "./core.ts";

/** `yours`: an earlier session of that very node has it, which may not have heard of its grant. */
export type LoadReply = Epoch | "wait" | "taken_over" | { readonly yours: Epoch };

export class CorePlayers {
  readonly #core: CoreModel;
  readonly #owners = new Map<PlayerId, Ownership>();
  readonly #sessions = new Map<PlayerId, Epoch>();

  constructor(core: CoreModel) {
    this.#core = core;
  }

  place(playerId: PlayerId): Epoch {
    const epoch = nextEpoch(this.#sessions.get(playerId) ?? EPOCH_NONE, this.#core.term);
    this.#sessions.set(playerId, epoch);
    return epoch;
  }

  load(request: LoadRequest): LoadReply {
    const { world, term, fenced } = this.#core;
    const { playerId, nodeId } = request;
    // It does not know yet that it is fenced: what it owns from now on nobody would free.
    if (fenced.has(nodeId) && world.parts.rules.refusesFencedLoads) return "taken_over";
    const placedEpoch = this.#sessions.get(playerId) ?? EPOCH_NONE;
    const owner = this.#owners.get(playerId);
    const decision = world.parts.decideLoad(
      { placedEpoch, grantedEpoch: placedEpoch, owner, coreTerm: term, ownerAlive: true },
      request,
    );
    if (decision.outcome === "wait") {
      const { nodeId: ownerId, stateEpoch } = decision.owner;
      return ownerId === nodeId ? { yours: stateEpoch } : "wait";
    }
    if (decision.outcome !== "granted") return "taken_over";
    const { stateEpoch } = decision.owner;
    if (decision.isNew) {
      world.truth.documentsGranted({ playerId, nodeId, epoch: stateEpoch });
      this.#owners.set(playerId, decision.owner);
    }
    return stateEpoch;
  }

  write(playerId: PlayerId, stateEpoch: Epoch): void {
    const { world } = this.#core;
    const owner = this.#owners.get(playerId);
    const owns = owner && String(owner.stateEpoch) === String(stateEpoch);
    if (owns || !world.parts.rules.documentsCheckEpoch) {
      world.truth.documentsWritten(playerId, stateEpoch);
    }
  }

  release(playerId: PlayerId, stateEpoch: Epoch): void {
    const owner = this.#owners.get(playerId);
    if (!owner || String(owner.stateEpoch) !== String(stateEpoch)) return;
    this.#core.world.truth.documentsReleased(playerId, stateEpoch);
    this.#owners.set(playerId, { ...owner, standing: "released" });
  }

  free(nodeId: NodeId): void {
    if (!this.#core.world.parts.rules.fenceFreesPlayers) return;
    for (const [id, owner] of this.#owners) {
      const isHeld = owner.nodeId === nodeId && owner.standing === "held";
      if (isHeld) this.#owners.set(id, { ...owner, standing: "freed" });
    }
  }
}
