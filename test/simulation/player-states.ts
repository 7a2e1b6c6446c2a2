/** The players at one node: their hand-offs, working copies and what was told to be saved. */
import {
  ABSENT,
  type HandOff,
  type HandOffEffect,
  type HandOffEvent,
  type LoadingSession,
} from "../../region/players/hand-off-step.ts";
import type { Epoch } from "../../shared/epoch.ts";
import type { PlayerId } from "../../shared/ids.ts";
import { changed, type FieldChanges, replacing } from "../../shared/player-state/change.ts";
import type { Marks } from "../../shared/player-state/change-set.ts";
import type { LoadReply } from "./core-model.ts";
import { ALL_FIELDS, someChange } from "./game.ts";
import type { NodeModel } from "./node-model.ts";
import { COLLECTIONS, type Documents, type Lineage, noteOf } from "./truth.ts";

const LOAD_WAIT_MS = 1_200;

interface WorkingCopy {
  readonly lineage: Lineage;
  documents: Documents;
}

export class PlayerStates {
  readonly #node: NodeModel;
  readonly #copies = new Map<PlayerId, WorkingCopy>();
  readonly #handOffs = new Map<PlayerId, HandOff>();
  readonly #lineages = new Map<PlayerId, Lineage[]>();
  #loaded: Documents = {};

  constructor(node: NodeModel) {
    this.#node = node;
  }

  /** To everybody who is here. */
  all(event: HandOffEvent): void {
    for (const playerId of [...this.#handOffs.keys()]) this.#step(playerId, event);
  }

  entered(playerId: PlayerId, session: LoadingSession): void {
    const giveUpAtMs = this.#node.world.schedule.nowMs + LOAD_WAIT_MS;
    this.#step(playerId, { type: "entered", session, giveUpAtMs });
  }

  left(playerId: PlayerId, sessionEpoch: Epoch): void {
    const handOff = this.handOffOf(playerId);
    const isHere =
      handOff.phase === "owned" && String(handOff.session.sessionEpoch) === String(sessionEpoch);
    this.#leaving(playerId, isHere, () => this.#step(playerId, { type: "left", sessionEpoch }));
  }

  wanted(by: { playerId: PlayerId; sessionEpoch: Epoch; stateEpoch: Epoch }): void {
    this.#step(by.playerId, { ...by, type: "wanted" });
  }

  /** The game changes something of a player who is here. */
  change(playerId: PlayerId): void {
    const copy = this.#copies.get(playerId);
    if (!copy) return;
    const { chance } = this.#node.world;
    const collection = chance.of(COLLECTIONS);
    const revision = this.#node.world.truth.changed(copy.lineage, (next) => {
      const change = someChange(chance, noteOf(copy.lineage.epoch, next));
      const document = changed(copy.documents[collection] ?? {}, change);
      copy.documents = { ...copy.documents, [collection]: document };
      this.#write(copy, collection, change, next);
      return copy.documents;
    });
    this.#node.world.say(
      () => `${this.#node.id} ${playerId} ${copy.lineage.epoch} changes: ${revision}`,
    );
  }

  saved(marks: Marks): void {
    for (const [playerId, revision] of marks) {
      for (const lineage of this.#lineages.get(playerId) ?? []) {
        this.#node.world.truth.saved(lineage, revision);
      }
    }
  }

  #step(playerId: PlayerId, event: HandOffEvent): void {
    if (this.#node.dead) return;
    const { world } = this.#node;
    const before = this.handOffOf(playerId);
    const [after, effects] = world.parts.handOffStep(before, event, world.schedule.nowMs);
    if (after.phase === "absent") this.#handOffs.delete(playerId);
    else this.#handOffs.set(playerId, after);
    if (before !== after || effects.length > 0) {
      world.say(() => `${this.#node.id} ${playerId}: ${event.type} → ${after.phase}`);
    }
    for (const effect of effects) this.#carryOut(playerId, effect);
  }

  #carryOut(playerId: PlayerId, effect: HandOffEffect): void {
    const { world } = this.#node;
    if (effect.type === "load") {
      this.#node.after(effect.afterMs, () => this.#load(playerId, effect.session));
    } else if (effect.type === "admit") {
      this.#admit(playerId, effect.stateEpoch);
      world.players.get(playerId)?.admitted(this.#node, effect.session);
    } else if (effect.type === "refuse") {
      world.players.get(playerId)?.refused(this.#node, effect.session);
    } else if (effect.type === "end") {
      this.change(playerId);
      world.players.get(playerId)?.refused(this.#node, effect.session);
    } else if (effect.type === "release") {
      this.#release(playerId, effect.stateEpoch);
    } else {
      this.#rewrite(playerId);
    }
  }

  #load(playerId: PlayerId, session: LoadingSession): void {
    const handOff = this.handOffOf(playerId);
    if (handOff.phase !== "loading" || handOff.session.loadId !== session.loadId) return;
    const { loadId, sessionEpoch } = session;
    const collections = [...COLLECTIONS];
    const request = { loadId, nodeId: this.#node.id, playerId, sessionEpoch, collections };
    this.#node.world.network.toCore<LoadReply>(
      this.#node,
      (core, reply) => core.load(request, reply),
      (answer) => this.#answered(playerId, loadId, answer),
    );
    this.#node.crashes("while a load is under way");
  }

  #answered(playerId: PlayerId, loadId: string, answer: LoadReply | undefined): void {
    if (answer?.outcome !== "granted") {
      this.#step(playerId, notGranted(loadId, answer));
      return;
    }
    const { stateEpoch, documents } = answer;
    this.#loaded = documents;
    this.#step(playerId, { type: "granted", loadId, stateEpoch, coreTerm: this.#node.coreTerm });
    this.#node.heardTerm(stateEpoch[0]);
    this.#node.crashes("after a grant");
  }

  #admit(playerId: PlayerId, stateEpoch: Epoch): void {
    const there = this.#copies.get(playerId);
    if (there && String(there.lineage.epoch) === String(stateEpoch)) return;
    const lineage = this.#node.world.truth.announced(playerId, stateEpoch);
    this.#copies.set(playerId, { lineage, documents: this.#loaded });
    const lineages = this.#lineages.get(playerId) ?? [];
    this.#lineages.set(playerId, [...lineages, lineage]);
  }

  #release(playerId: PlayerId, stateEpoch: Epoch): void {
    const copy = this.#copies.get(playerId);
    const own = copy && String(copy.lineage.epoch) === String(stateEpoch) ? copy : undefined;
    const revision = own?.lineage.lastRevision ?? 0;
    const marker = { playerId, stateEpoch, release: true } as const;
    this.#node.shardOf(playerId).state.waiting.add(marker, revision);
    if (!own) return;
    if (this.#node.world.parts.rules.releaseEndsCopy) this.#copies.delete(playerId);
    this.#node.world.truth.released(own.lineage);
  }

  /** A room writes once more while its player leaves. */
  #leaving(playerId: PlayerId, isHere: boolean, leave: () => void): void {
    if (!isHere) {
      leave();
      return;
    }
    const copy = this.#copies.get(playerId);
    if (this.#node.world.parts.rules.markerLast) {
      this.change(playerId);
      leave();
      return;
    }
    leave();
    if (!copy) return;
    this.#copies.set(playerId, copy);
    this.change(playerId);
    this.#copies.delete(playerId);
  }

  #rewrite(playerId: PlayerId): void {
    const copy = this.#copies.get(playerId);
    if (!copy) return;
    for (const collection of COLLECTIONS) {
      const document = copy.documents[collection] ?? {};
      this.#write(copy, collection, replacing(document, ALL_FIELDS), copy.lineage.lastRevision);
    }
    this.#node.world.truth.rewritten(copy.lineage);
  }

  #write(copy: WorkingCopy, collection: string, change: FieldChanges, revision: number): void {
    const { playerId, epoch } = copy.lineage;
    const item = { playerId, stateEpoch: epoch, collection, format: 1, ...change };
    this.#node.shardOf(playerId).state.waiting.add(item, revision);
  }

  handOffOf(playerId: PlayerId): HandOff {
    return this.#handOffs.get(playerId) ?? ABSENT;
  }
}

function notGranted(
  loadId: string,
  answer: Exclude<LoadReply, { outcome: "granted" }> | undefined,
): HandOffEvent {
  if (!answer) return { type: "loadFailed", loadId };
  if (answer.outcome === "takenOver") return { type: "takenOver", loadId };
  const { retryAfterMs, yours } = answer;
  return { type: "wait", loadId, retryAfterMs, yours };
}
