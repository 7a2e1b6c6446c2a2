/**
 * A region's node in one life: its outbox, the players whose state it owns, the streams of dead nodes that
 * it sends on. It may die at any crash point, stand still for a while, and lose its way to core or Redis.
 */
import { newProducer, producerIdOf } from "../../region/outbox/producer-step.ts";
import type { NodeId, PlayerId } from "../../shared/ids.ts";
import type { ProducerId } from "../../shared/protocol/player-state.ts";
import type { NodeCrashPoint } from "./crash-points.ts";
import { OutboxModel } from "./outbox-model.ts";
import { PlayerStates } from "./player-states.ts";
import type { RedisModel } from "./redis-model.ts";
import type { World } from "./world.ts";

export const SHARDS = 2;
const BEAT_MS = 50;
const HEARTBEAT_BEATS = 8;
const ORPHAN_BEATS = 6;
const ALIVE_MS = 500;
const TAKE_OVER_MS = 2_000;

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
  readonly players = new PlayerStates(this);
  #paused = false;
  #deferred: (() => void)[] = [];
  /** The highest that it has heard of. */
  coreTerm = 0;
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
   * appended. After Redis has lost something nothing is sure: also the mark that a stream is taken may be gone.
   */
  #kept(): Map<PlayerId, number> {
    const kept = new Map<PlayerId, number>();
    if (this.redis.hasLost) return kept;
    for (const { state, isMoving } of this.shards) {
      // A closed incarnation's entries can't be sent by others any more.
      if (isMoving || state.phase === "closing") continue;
      const there = this.redis.streams.get(producerIdOf(state))?.entries ?? [];
      const entries = [...state.kept, ...there];
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

  heardTerm(coreTerm: number): void {
    if (coreTerm <= this.coreTerm) return;
    this.coreTerm = coreTerm;
    for (const shard of [...this.shards, ...this.takenOver.values()]) {
      shard.step({ type: "coreTerm", coreTerm });
    }
    this.players.all({ type: "rewrite", coreTerm });
  }

  shardOf(playerId: PlayerId): OutboxModel {
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
    this.players.all({ type: "fenced" });
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
