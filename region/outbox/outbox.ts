/**
 * A node's outbox: players' changes on their way to the core, by shards of players, so that several
 * batches are under way at once while each player's changes stay in order.
 *
 * It is bounded in items and bytes. At the limit a change is refused to the room that makes it, clearly and
 * before it has any effect; release markers are taken always, as there is one a player at most.
 */
import type { Logger } from "pino";
import type { Cancel, Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { NodeId, PlayerId } from "../../shared/ids.ts";
import type { Part } from "../../shared/lifecycle.ts";
import type { Metrics } from "../../shared/metrics.ts";
import type { Marks } from "../../shared/player-state/change-set.ts";
import type { OutboxItem } from "../../shared/protocol/player-state.ts";
import { type Backlog, OutboxMetrics } from "./outbox-metrics.ts";
import { OutboxShard, type SyncCalls } from "./outbox-shard.ts";
import type { Streams } from "./outbox-streams.ts";
import { newProducer, type ProducerState } from "./producer-step.ts";

/** Fixed: a player's shard must not change while a stream lives. */
export const SHARDS = 4;
/** How often what waits is written down, ms: what a node's crash can cost a player while the core answers. */
const BEAT_MS = 50;
/** A sign of life each half second, good for two: then others take its streams for a dead node's. */
const BEATS_BETWEEN_SIGNS = 10;
export const ALIVE_MS = 2_000;

/** What owners of players do when the outbox has news of them. */
export interface OutboxOwner {
  saved(marks: Marks): void;
  /** Write all documents of the players in that shard anew. */
  rewrite(shard: number, coreTerm: number): void;
}

export interface OutboxOptions {
  readonly nodeId: NodeId;
  readonly streams: Streams;
  readonly calls: SyncCalls;
  readonly backlogItemsMax: number;
  readonly backlogBytesMax: number;
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class Outbox implements Part {
  readonly name = "outbox";
  readonly #options: OutboxOptions;
  readonly #shards: OutboxShard[];
  readonly #metrics: OutboxMetrics;
  readonly #waitingBytes = new Array<number>(SHARDS).fill(0);
  #owner: OutboxOwner | undefined;
  #saidFull = false;
  #beats = 0;
  #cancel: Cancel = () => {};

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#metrics = new OutboxMetrics(options.metrics, () => this.backlog);
    this.#shards = Array.from({ length: SHARDS }, (_, shard) => {
      return this.#shardOf(newProducer(`${options.nodeId}/${shard}`), shard);
    });
  }

  /** Who is told of what was saved. */
  set owner(owner: OutboxOwner) {
    this.#owner = owner;
  }

  get metrics(): OutboxMetrics {
    return this.#metrics;
  }

  start(): void {
    this.#giveSign();
    for (const shard of this.#shards) shard.step({ type: "due" });
    this.#cancel = this.#options.clock.every(BEAT_MS, () => this.#beat());
  }

  stop(): void {
    this.#cancel();
    for (const shard of this.#shards) shard.stop();
  }

  get backlog(): Backlog {
    const nowMs = this.#options.clock.monotonicMs();
    const backlog = { items: 0, bytes: 0, ageMs: 0 };
    for (const [index, shard] of this.#shards.entries()) {
      const { items, bytes } = shard.backlog;
      backlog.items += items;
      backlog.bytes += bytes + (this.#waitingBytes[index] ?? 0);
      backlog.ageMs = Math.max(backlog.ageMs, nowMs - (shard.oldestMs ?? nowMs));
    }
    return backlog;
  }

  /** @throws {MeridianError} `outbox_full`: the change must not be made */
  requireRoom(): void {
    const { backlogItemsMax, backlogBytesMax, log } = this.#options;
    const { items, bytes } = this.backlog;
    if (items < backlogItemsMax && bytes < backlogBytesMax) return;
    this.#metrics.full.inc();
    if (!this.#saidFull) {
      this.#saidFull = true;
      log.error(
        { items, bytes, runbook: "region-outbox" },
        "the outbox is full: players' state can't be changed until the core takes some of it",
      );
    }
    throw new MeridianError("outbox_full");
  }

  /**
   * @param bytes of it as JSON, about
   * @param revision of the player's working copy with it; 0 when nobody waits to hear of it
   */
  add(item: OutboxItem, bytes: number, revision: number): void {
    const index = shardOf(item.playerId);
    this.#waitingBytes[index] = (this.#waitingBytes[index] ?? 0) + bytes;
    const shard = this.#shards[index] as OutboxShard;
    shard.state.waiting.add(item, revision);
  }

  /** Writes down at once what waits for the next beat. */
  flush(): void {
    for (const shard of this.#shards) shard.step({ type: "due" });
  }

  /** Writes down at once what waits of that player. */
  hurry(playerId: PlayerId): void {
    this.#shards[shardOf(playerId)]?.step({ type: "due" });
  }

  /** Resolves once everything that it was given is flushed. @returns false when `signal` was first */
  async drained(signal: AbortSignal): Promise<boolean> {
    this.flush();
    await Promise.all(this.#shards.map((shard) => shard.drained(signal)));
    return !signal.aborted;
  }

  /** The core said its term. */
  noteCoreTerm(coreTerm: number): void {
    for (const shard of this.#shards) shard.step({ type: "coreTerm", coreTerm });
  }

  /** The connection to Redis is back. */
  async redisIsBack(): Promise<void> {
    // Before anybody takes its silence for its death.
    this.#giveSign();
    await Promise.all(this.#shards.map((shard) => shard.checkStream()));
  }

  /** A dead node's stream, which is sent on as long as it is given beats. */
  takenOver(state: ProducerState, drainedNode: () => Promise<NodeId | undefined>): OutboxShard {
    return this.#shardOf(state, undefined, drainedNode);
  }

  #shardOf(
    state: ProducerState,
    index: number | undefined,
    drainedNode?: () => Promise<NodeId | undefined>,
  ): OutboxShard {
    const { streams, calls, clock, random, log } = this.#options;
    return new OutboxShard({
      state,
      streams,
      calls,
      ...(drainedNode && { drainedNode }),
      saved: (marks) => this.#owner?.saved(marks),
      // Of a dead node's players this node owns none.
      rewrite: () => index !== undefined && this.#owner?.rewrite(index, state.coreTerm),
      clock,
      random,
      log,
      metrics: this.#metrics,
    });
  }

  #giveSign(): void {
    const { streams, nodeId } = this.#options;
    streams.live(nodeId, ALIVE_MS).catch(() => {
      // Redis is away, which its connection reports.
    });
  }

  #beat(): void {
    this.#beats += 1;
    if (this.#beats % BEATS_BETWEEN_SIGNS === 0) this.#giveSign();
    for (const [index, shard] of this.#shards.entries()) {
      shard.beat();
      if (shard.state.waiting.size === 0) this.#waitingBytes[index] = 0;
    }
    const { backlogItemsMax, backlogBytesMax, log } = this.#options;
    const { items, bytes } = this.backlog;
    if (!this.#saidFull || items * 2 > backlogItemsMax || bytes * 2 > backlogBytesMax) return;
    this.#saidFull = false;
    log.info({ items, bytes }, "the outbox has room again");
  }
}

/** By the random part of the id. */
export function shardOf(playerId: PlayerId): number {
  return Number.parseInt(playerId.slice(-2), 16) % SHARDS;
}
