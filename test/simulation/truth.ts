/**
 * What really happened, kept apart from everything that can fail, and what must therefore hold. It is told
 * of every grant, change, promise and loss, and throws a `Violation` at the first thing that is wrong.
 *
 * A `Lineage` is what one owner did to a player's documents: each revision of its working copy. The core may
 * hold any revision of the newest one from `floor` on; for an owner that lives, or said that it was done,
 * only the last. What each fault may lose is said where the floor is lowered.
 */
import { isDeepStrictEqual } from "node:util";
import { compareEpochs, type Epoch } from "../../shared/epoch.ts";
import type { NodeId, PlayerId } from "../../shared/ids.ts";
import type { Document, StateChange } from "../../shared/protocol/player-state.ts";
import { ValueTruth } from "./value-truth.ts";
import { Violation } from "./violation.ts";

/** Which a player has in this world. */
export const COLLECTIONS = ["stats", "quests"] as const;

/** By collection. */
export type Documents = Readonly<Record<string, Document>>;

export interface Lineage {
  readonly playerId: PlayerId;
  readonly nodeId: NodeId;
  readonly epoch: Epoch;
  /** By revision; the first is what was loaded. */
  readonly snapshots: Map<number, Documents>;
  readonly firstRevision: number;
  /** The owner has said that it is done, or died before all of it was safe. */
  end: "none" | "released" | "died";
  lastRevision: number;
  savedRevision: number;
  /** Its owner has heard of the last restore, and has written everything anew. */
  isRewritten: boolean;
  /** Others may load the player although the owner has not said that it is done. */
  givenUp: boolean;
  /** What a dead owner left in Redis. */
  keptRevision: number;
}

interface PlayerTruth {
  readonly lineages: Map<string, Lineage>;
  newest: Lineage | undefined;
  /** The newest that the core has granted, whoever heard of it. */
  granted: Epoch | undefined;
  /** Of working copies, over all owners. */
  revision: number;
  /** A restore has taken back what was flushed: nothing is demanded until somebody owns the player anew. */
  restored: boolean;
}

export class Truth extends ValueTruth {
  /** Set by the world: what is to be undone with the commit under way. */
  onRewind: (undo: () => void) => void = () => {};
  readonly #players = new Map<PlayerId, PlayerTruth>();
  readonly #epochs = new Set<string>();
  /** Whose players others may load before all that it wrote was applied. */
  readonly #lost = new Set<NodeId>();

  sessionGranted(playerId: PlayerId, epoch: Epoch): void {
    this.#once("session", playerId, epoch);
  }

  roomGranted(roomId: string, nodeId: NodeId, epoch: Epoch): void {
    this.#once("room", roomId, epoch);
    void nodeId;
  }

  granted(grant: {
    readonly playerId: PlayerId;
    readonly nodeId: NodeId;
    readonly epoch: Epoch;
    readonly documents: Documents;
  }): void {
    const { playerId, nodeId, epoch, documents } = grant;
    this.#once("state", playerId, epoch);
    const player = this.#player(playerId);
    const before = player.newest;
    if (player.restored) this.#keepBack(player, { restored: false, newest: undefined });
    else if (before) this.#handedOver(before, grant);
    this.#keepBack(player, { granted: epoch });
    player.revision += 1;
    const revision = player.revision;
    player.lineages.set(String(epoch), {
      playerId,
      nodeId,
      epoch,
      snapshots: new Map([[revision, documents]]),
      firstRevision: revision,
      end: "none",
      lastRevision: revision,
      savedRevision: revision,
      keptRevision: revision,
      isRewritten: false,
      givenUp: false,
    });
  }

  /** The owner has its grant. */
  announced(playerId: PlayerId, epoch: Epoch): Lineage {
    const player = this.#player(playerId);
    const lineage = player.lineages.get(String(epoch));
    if (!lineage) throw new Violation("at most one accepted owner", `${epoch} was never granted`);
    const isLate = player.granted && compareEpochs(player.granted, epoch) > 0;
    // It was given up before it even heard of its grant.
    if (isLate) lineage.givenUp = true;
    else if (!player.newest || compareEpochs(epoch, player.newest.epoch) > 0) {
      player.newest = lineage;
    }
    return lineage;
  }

  changed(lineage: Lineage, documentsAfter: (revision: number) => Documents): number {
    const player = this.#player(lineage.playerId);
    player.revision += 1;
    lineage.lastRevision = player.revision;
    lineage.snapshots.set(player.revision, documentsAfter(player.revision));
    return player.revision;
  }

  released(lineage: Lineage): void {
    if (lineage.end === "none") lineage.end = "released";
  }

  /** What is told of changes that were refused, because another owner was granted, promises nothing. */
  saved(lineage: Lineage, upTo: number): void {
    const { granted } = this.#player(lineage.playerId);
    if (granted && compareEpochs(granted, lineage.epoch) > 0) return;
    for (const revision of lineage.snapshots.keys()) {
      if (revision <= upTo) lineage.savedRevision = Math.max(lineage.savedRevision, revision);
    }
  }

  rewritten(lineage: Lineage): void {
    lineage.isRewritten = true;
  }

  /** A change has been taken by the core. */
  accepted({ playerId, stateEpoch, set }: StateChange): void {
    const player = this.#player(playerId);
    if (!player.newest) return;
    const order = compareEpochs(stateEpoch, player.newest.epoch);
    // The whole copy: whatever a restore took back is there again. Other changes only add to the count.
    const isWhole = set !== undefined && "count" in set;
    if (order === 0 && isWhole && player.newest.isRewritten) {
      this.#keepBack(player, { restored: false });
    }
    if (player.restored || order >= 0) return;
    const story = `${playerId}: ${stateEpoch} was taken, although ${player.newest.epoch} works on it`;
    throw new Violation("at most one accepted owner", story);
  }

  /** Only what it left in its Redis, or was told to be saved, is demanded of it. */
  nodeDied(nodeId: NodeId, kept: ReadonlyMap<PlayerId, number>): void {
    for (const lineage of this.#lineagesOf(nodeId)) {
      const { savedRevision, lastRevision } = lineage;
      if (lineage.end === "released" && savedRevision >= lastRevision) continue;
      lineage.end = "died";
      lineage.keptRevision = Math.max(savedRevision, kept.get(lineage.playerId) ?? 0);
    }
  }

  /** What dead nodes left in a Redis that lost something is not demanded. */
  redisLost(regionOf: (nodeId: NodeId) => boolean): void {
    for (const player of this.#players.values()) {
      for (const lineage of player.lineages.values()) {
        if (lineage.end === "died" && regionOf(lineage.nodeId)) {
          lineage.keptRevision = lineage.savedRevision;
        }
      }
    }
  }

  /** It was given up while it may live: what it has not brought yet may come too late. */
  nodeFenced(nodeId: NodeId): void {
    this.#lost.add(nodeId);
  }

  /** Its node was taken for dead. @param isMistaken it lives: what it has not brought yet may come too late */
  freed(playerId: PlayerId, epoch: Epoch, isMistaken: boolean): void {
    const lineage = this.#player(playerId).lineages.get(String(epoch));
    if (lineage && isMistaken) lineage.givenUp = true;
  }

  /** A standby serves. What was saved is there. */
  promoted(documentsOf: (playerId: PlayerId) => Documents): void {
    for (const [playerId, { newest, restored }] of this.#players) {
      if (!newest || restored) continue;
      const at = revisionIn(documentsOf(playerId), newest);
      if (at >= newest.savedRevision) continue;
      const story = `${playerId} ${newest.epoch}: ${newest.savedRevision} was, there is ${at}`;
      throw new Violation("saved is never lost", story);
    }
  }

  restored(): void {
    for (const player of this.#players.values()) {
      player.restored = true;
      for (const lineage of player.lineages.values()) lineage.isRewritten = false;
    }
  }

  /** Everything has come to rest. */
  settled(documentsOf: (playerId: PlayerId) => Documents): void {
    for (const [playerId, { newest, restored }] of this.#players) {
      if (!newest) continue;
      // An owner who lives has heard of the restore by now, and has written everything anew.
      const lives = newest.end === "none" && !newest.givenUp && !this.#lost.has(newest.nodeId);
      if (restored && !lives) continue;
      this.#mustHold(newest, documentsOf(playerId), this.#floorOf(newest));
    }
  }

  /** What the core has written is so only until it is rewound. */
  #keepBack(player: PlayerTruth, change: Partial<PlayerTruth>): void {
    const { restored, newest, granted } = player;
    const before = { restored, newest, granted };
    Object.assign(player, change);
    this.onRewind(() => {
      // Whoever has heard of a grant since goes on to work with it.
      const later = player.newest;
      const isLater = later && (!newest || compareEpochs(later.epoch, newest.epoch) > 0);
      Object.assign(player, before, isLater ? { newest: later } : {});
    });
  }

  #handedOver(
    before: Lineage,
    { playerId, epoch, nodeId, documents }: Parameters<Truth["granted"]>[0],
  ): void {
    if (this.#lost.has(before.nodeId)) before.givenUp = true;
    if (before.end === "none" && !before.givenUp) {
      const story = `${playerId} ${epoch} to ${nodeId}, while ${before.epoch} is at ${before.nodeId}`;
      throw new Violation("at most one accepted owner", story);
    }
    this.#mustHold(before, documents, this.#floorOf(before));
  }

  #floorOf(lineage: Lineage): number {
    const { end, nodeId, givenUp, savedRevision, keptRevision, lastRevision } = lineage;
    if (givenUp || this.#lost.has(nodeId)) return savedRevision;
    return end === "died" ? keptRevision : lastRevision;
  }

  #mustHold(lineage: Lineage, documents: Documents, floor: number): void {
    const { playerId, epoch, snapshots } = lineage;
    const at = revisionIn(documents, lineage);
    const expected = snapshots.get(at);
    if (at >= floor && isDeepStrictEqual(documents, expected)) return;
    const [is, should] = [documents, expected].map((one) => JSON.stringify(one));
    const story = `${playerId} ${epoch}: at ${at}, at least ${floor}; ${is}, should be ${should}`;
    throw new Violation("class B converges to the owner's last write", story);
  }

  *#lineagesOf(nodeId: NodeId): Generator<Lineage> {
    for (const player of this.#players.values()) {
      for (const lineage of player.lineages.values()) if (lineage.nodeId === nodeId) yield lineage;
    }
  }

  #once(kind: string, id: string, epoch: Epoch): void {
    const key = `${kind} ${id} ${epoch}`;
    if (this.#epochs.has(key)) throw new Violation("no epoch is granted twice", key);
    this.#epochs.add(key);
  }

  #player(playerId: PlayerId): PlayerTruth {
    let player = this.#players.get(playerId);
    if (!player) {
      player = {
        lineages: new Map(),
        newest: undefined,
        granted: undefined,
        revision: 0,
        restored: false,
      };
      this.#players.set(playerId, player);
    }
    return player;
  }
}

/** Each change notes in `at` under which epoch and as which revision it was made. */
export function noteOf(epoch: Epoch, revision: number): string {
  return `${epoch}/${revision}`;
}

/** Up to which revision of that owner the documents are. */
function revisionIn(documents: Documents, { epoch, firstRevision }: Lineage): number {
  let newest = firstRevision;
  for (const { at } of Object.values(documents)) {
    const [by, revision] = String(at).split("/");
    if (by === String(epoch)) newest = Math.max(newest, Number(revision));
  }
  return newest;
}
