/**
 * A region's node in one life: its outbox, the players whose state it owns, the streams of dead nodes that
 * it sends on. It may die at any crash point, stand still for a while, and lose its way to core or Redis.
 */
import { newProducer, producerIdOf } from "../../region/outbox/producer-step.ts";
import {
  ABSENT,
  type HandOff,
  type HandOffEffect,
  type HandOffEvent,
  type LoadingSession,
} from "../../region/players/hand-off-step.ts";
import type { Epoch } from "../../shared/epoch.ts";
import type { NodeId, PlayerId } from "../../shared/ids.ts";
import { changed, type FieldChanges, replacing } from "../../shared/player-state/change.ts";
import type { Marks } from "../../shared/player-state/change-set.ts";
import type { ProducerId } from "../../shared/protocol/player-state.ts";
import type { LoadReply } from "./core-model.ts";
import type { NodeCrashPoint } from "./crash-points.ts";
import { ALL_FIELDS, someChange } from "./game.ts";
import { OutboxModel } from "./outbox-model.ts";
import type { RedisModel } from "./redis-model.ts";
import { COLLECTIONS, type Documents, type Lineage, noteOf } from "./truth.ts";
import type { World } from "./world.ts";

export const SHARDS = 2;
const BEAT_MS = 50;
const HEARTBEAT_BEATS = 8;
const ORPHAN_BEATS = 6;
const ALIVE_MS = 500;
const TAKE_OVER_MS = 2_000;
const LOAD_WAIT_MS = 1_200;

interface WorkingCopy {
  readonly lineage: Lineage;
  documents: Documents;
}

export class NodeModel {
  readonly world: World;
  readonly id: NodeId;
  readonly regionId: string;
  readonly redis: RedisModel;
  dead = false;
  /** Draining: it was fenced, and another life is there. */
  retired = false;
  redisCut = false;
  readonly shards: OutboxModel[];
  readonly takenOver = new Map<ProducerId, OutboxModel>();
  readonly copies = new Map<PlayerId, WorkingCopy>();
  readonly #handOffs = new Map<PlayerId, HandOff>();
  readonly #lineages = new Map<PlayerId, Lineage[]>();
  #loaded: Documents = {};
  #paused = false;
  #deferred: (() => void)[] = [];
  #coreTerm = 0;
  #beats = 0;

  constructor(world: World, id: NodeId, regionId: string, redis: RedisModel) {
    this.world = world;
    this.id = id;
    this.regionId = regionId;
    this.redis = redis;
    this.shards = Array.from({ length: SHARDS }, (_, shard) => {
      return new OutboxModel(this, newProducer(`${id}/${shard}`));
    });
    redis.aliveUntilMs.set(id, world.schedule.nowMs + ALIVE_MS);
    this.after(1, () => this.#beat());
  }

  /** Whether everything that it was given is at the core for good. */
  get isIdle(): boolean {
    return [...this.shards, ...this.takenOver.values()].every((shard) => shard.isIdle);
  }

  handOffOf(playerId: PlayerId): HandOff {
    return this.#handOffs.get(playerId) ?? ABSENT;
  }

  /** Now, or when the node moves again; never when it is dead. */
  run(work: () => void): void {
    if (this.dead) return;
    if (this.#paused) this.#deferred.push(work);
    else work();
  }

  after(delayMs: number, work: () => void): void {
    this.world.schedule.after(delayMs, () => this.run(work));
  }

  crashes(point: NodeCrashPoint): boolean {
    if (!this.dead && this.world.crashPlan.strikes(point)) this.die(point);
    return this.dead;
  }

  die(why: string): void {
    if (this.dead) return;
    this.dead = true;
    this.world.say(() => `${this.id} dies: ${why}`);
    this.world.truth.nodeDied(this.id, this.#kept());
    this.world.nodeDied(this);
  }

  /**
   * What of its players outlives it in Redis, by their newest revision: what is there, and what it holds for
   * appended as long as Redis has lost nothing.
   */
  #kept(): Map<PlayerId, number> {
    const kept = new Map<PlayerId, number>();
    for (const { state, isMoving } of this.shards) {
      // A closed incarnation's entries can't be sent by others any more.
      if (isMoving || state.phase === "closing") continue;
      const there = this.redis.streams.get(producerIdOf(state))?.entries ?? [];
      const entries = this.redis.hasLost ? there : [...state.kept, ...there];
      for (const [playerId, revision] of entries.flatMap(({ marks }) => [...marks])) {
        kept.set(playerId, Math.max(kept.get(playerId) ?? 0, revision));
      }
    }
    return kept;
  }

  pause(forMs: number): void {
    if (this.#paused) return;
    this.#paused = true;
    this.world.say(() => `${this.id} stands still for ${forMs}`);
    this.world.schedule.after(forMs, () => {
      this.#paused = false;
      const deferred = this.#deferred;
      this.#deferred = [];
      for (const work of deferred) this.run(work);
    });
  }

  entered(playerId: PlayerId, session: LoadingSession): void {
    const giveUpAtMs = this.world.schedule.nowMs + LOAD_WAIT_MS;
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
    const copy = this.copies.get(playerId);
    if (!copy) return;
    const { chance } = this.world;
    const collection = chance.of(COLLECTIONS);
    const revision = this.world.truth.changed(copy.lineage, (next) => {
      const change = someChange(chance, noteOf(copy.lineage.epoch, next));
      const document = changed(copy.documents[collection] ?? {}, change);
      copy.documents = { ...copy.documents, [collection]: document };
      this.#write(copy, collection, change, next);
      return copy.documents;
    });
    this.world.say(() => `${this.id} ${playerId} ${copy.lineage.epoch} changes: ${revision}`);
  }

  saved(marks: Marks): void {
    for (const [playerId, revision] of marks) {
      for (const lineage of this.#lineages.get(playerId) ?? []) {
        this.world.truth.saved(lineage, revision);
      }
    }
  }

  heardTerm(coreTerm: number): void {
    if (coreTerm <= this.#coreTerm) return;
    this.#coreTerm = coreTerm;
    for (const shard of [...this.shards, ...this.takenOver.values()]) {
      shard.step({ type: "coreTerm", coreTerm });
    }
    for (const playerId of this.#handOffs.keys()) {
      this.#step(playerId, { type: "rewrite", coreTerm });
    }
  }

  #step(playerId: PlayerId, event: HandOffEvent): void {
    if (this.dead) return;
    const { world } = this;
    const before = this.handOffOf(playerId);
    const [after, effects] = world.parts.handOffStep(before, event, world.schedule.nowMs);
    if (after.phase === "absent") this.#handOffs.delete(playerId);
    else this.#handOffs.set(playerId, after);
    if (before !== after || effects.length > 0) {
      world.say(() => `${this.id} ${playerId}: ${event.type} → ${after.phase}`);
    }
    for (const effect of effects) this.#carryOut(playerId, effect);
  }

  #carryOut(playerId: PlayerId, effect: HandOffEffect): void {
    const { world } = this;
    if (effect.type === "load") {
      this.after(effect.afterMs, () => this.#load(playerId, effect.session));
    } else if (effect.type === "admit") {
      this.#admit(playerId, effect.stateEpoch);
      world.players.get(playerId)?.admitted(this, effect.session);
    } else if (effect.type === "refuse") {
      world.players.get(playerId)?.refused(this, effect.session);
    } else if (effect.type === "end") {
      this.change(playerId);
      world.players.get(playerId)?.refused(this, effect.session);
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
    const request = { loadId, nodeId: this.id, playerId, sessionEpoch, collections };
    this.world.network.toCore<LoadReply>(
      this,
      (core, reply) => core.load(request, reply),
      (answer) => this.#answered(playerId, loadId, answer),
    );
    this.crashes("while a load is under way");
  }

  #answered(playerId: PlayerId, loadId: string, answer: LoadReply | undefined): void {
    if (answer?.outcome !== "granted") {
      this.#step(playerId, notGranted(loadId, answer));
      return;
    }
    const { stateEpoch, documents } = answer;
    this.#loaded = documents;
    this.#step(playerId, { type: "granted", loadId, stateEpoch, coreTerm: this.#coreTerm });
    this.heardTerm(stateEpoch[0]);
    this.crashes("after a grant");
  }

  #admit(playerId: PlayerId, stateEpoch: Epoch): void {
    const there = this.copies.get(playerId);
    if (there && String(there.lineage.epoch) === String(stateEpoch)) return;
    const lineage = this.world.truth.announced(playerId, stateEpoch);
    this.copies.set(playerId, { lineage, documents: this.#loaded });
    const lineages = this.#lineages.get(playerId) ?? [];
    this.#lineages.set(playerId, [...lineages, lineage]);
  }

  #release(playerId: PlayerId, stateEpoch: Epoch): void {
    const copy = this.copies.get(playerId);
    const own = copy && String(copy.lineage.epoch) === String(stateEpoch) ? copy : undefined;
    const revision = own?.lineage.lastRevision ?? 0;
    const marker = { playerId, stateEpoch, release: true } as const;
    this.#shardOf(playerId).state.waiting.add(marker, revision);
    if (!own) return;
    if (this.world.parts.rules.releaseEndsCopy) this.copies.delete(playerId);
    this.world.truth.released(own.lineage);
  }

  /** A room writes once more while its player leaves. */
  #leaving(playerId: PlayerId, isHere: boolean, leave: () => void): void {
    if (!isHere) {
      leave();
      return;
    }
    const copy = this.copies.get(playerId);
    if (this.world.parts.rules.markerLast) {
      this.change(playerId);
      leave();
      return;
    }
    leave();
    if (!copy) return;
    this.copies.set(playerId, copy);
    this.change(playerId);
    this.copies.delete(playerId);
  }

  #rewrite(playerId: PlayerId): void {
    const copy = this.copies.get(playerId);
    if (!copy) return;
    for (const collection of COLLECTIONS) {
      const document = copy.documents[collection] ?? {};
      this.#write(copy, collection, replacing(document, ALL_FIELDS), copy.lineage.lastRevision);
    }
  }

  #write(copy: WorkingCopy, collection: string, change: FieldChanges, revision: number): void {
    const { playerId, epoch } = copy.lineage;
    const item = { playerId, stateEpoch: epoch, collection, format: 1, ...change };
    this.#shardOf(playerId).state.waiting.add(item, revision);
  }

  #shardOf(playerId: PlayerId): OutboxModel {
    return this.shards[Number(playerId.slice(1)) % SHARDS] as OutboxModel;
  }

  #beat(): void {
    this.after(BEAT_MS, () => this.#beat());
    this.#beats += 1;
    if (!this.redis.down && !this.redisCut) {
      this.redis.aliveUntilMs.set(this.id, this.world.schedule.nowMs + ALIVE_MS);
    }
    for (const shard of this.shards) if (!shard.isIdle) shard.step({ type: "due" });
    for (const [id, shard] of this.takenOver) {
      if (shard.isIdle) this.takenOver.delete(id);
      else shard.step({ type: "due" });
    }
    if (this.#beats % HEARTBEAT_BEATS === 1) this.#heartbeat();
    if (this.#beats % ORPHAN_BEATS === 0 && !this.retired) this.#lookForOrphans();
  }

  #heartbeat(): void {
    this.world.network.toCore<{ coreTerm: number; fenced: boolean }>(
      this,
      (core, reply) => core.heartbeat(this.id, reply),
      (answer) => {
        if (answer) this.heardTerm(answer.coreTerm);
        if (answer?.fenced && !this.retired) this.#retire();
      },
    );
  }

  #retire(): void {
    this.retired = true;
    for (const playerId of [...this.#handOffs.keys()]) this.#step(playerId, { type: "fenced" });
    this.world.nodeRetired(this);
  }

  #lookForOrphans(): void {
    const { redis, world } = this;
    if (redis.down || this.redisCut) return;
    const { nowMs } = world.schedule;
    for (const id of redis.list()) {
      const writer = id.split("/")[0] as NodeId;
      if (writer === this.id || this.takenOver.has(id)) continue;
      if ((redis.aliveUntilMs.get(writer) ?? 0) > nowMs) continue;
      if (!redis.reserve(id, this.id, nowMs, TAKE_OVER_MS)) continue;
      this.#takeOver(id, writer);
      return;
    }
  }

  #takeOver(id: ProducerId, writer: NodeId): void {
    const slash = id.lastIndexOf("/");
    // Its writer may live: what that appended from now on would be forgotten with the stream.
    this.redis.take(id);
    const entries = this.redis.streams.get(id)?.entries ?? [];
    // What was read from Redis knows of nobody who waits for it.
    const read = entries.map((entry) => ({ ...entry, marks: new Map() }));
    const name = id.slice(0, slash);
    const state = this.world.parts.takenOverProducer(name, Number(id.slice(slash + 1)), read);
    this.world.say(() => `${this.id} takes ${id} over, ${entries.length} entries`);
    const shard = new OutboxModel(this, state, () => {
      const others = this.redis.list().some((one) => one !== id && one.startsWith(`${writer}/`));
      return others && this.world.parts.rules.drainsAllStreams ? undefined : writer;
    });
    this.takenOver.set(id, shard);
    shard.step({ type: "due" });
    this.crashes("while a stream is taken over");
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
