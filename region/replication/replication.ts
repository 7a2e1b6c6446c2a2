/**
 * The owner's side: sees to it that each room that can be copied has a copy at one standby.
 *
 * A room is copied from the moment that it has its epoch until its end. All rooms with the same standby share one
 * stream. A stream that breaks is opened once more if it had worked; a standby that can't be reached is left out
 * for a while and its rooms get another one of those that the core names. Without any they run on, unprotected. One
 * that is named no more goes on getting frames until the next one has the room (`copied-room.ts`).
 */
import type { Logger } from "pino";
import type { Cancel, Clock } from "../../shared/clock.ts";
import { isFailure } from "../../shared/errors.ts";
import type { GameName, NodeId, RoomId } from "../../shared/ids.ts";
import type { Part } from "../../shared/lifecycle.ts";
import type { LinkIdentity } from "../../shared/link/identity.ts";
import type { Metrics } from "../../shared/metrics.ts";
import type { NodeAddress, ReplicationReport, Standbys } from "../../shared/protocol/failover.ts";
import type { GameRoom } from "../rooms/game-room.ts";
import { CopiedRoom } from "./copied-room.ts";
import type { CopyStore } from "./copy-store.ts";
import { LeftOut } from "./left-out.ts";
import { OutboundStream } from "./outbound-stream.ts";
import { ReplicationMetrics } from "./replication-metrics.ts";
import { chooseStandby } from "./standby-choice.ts";
import type { Hello } from "./wire.ts";

const TICK_MS = 250;
/** A stream without rooms is closed after so long. */
const IDLE_MS = 5_000;

export interface ReplicationOptions {
  /** Off: nothing is copied from here. */
  readonly enabled: boolean;
  /** How this node names itself to standbys, once it listens. */
  readonly hello: () => Hello;
  readonly identity: LinkIdentity;
  readonly store: CopyStore;
  /** Most bytes that wait for one standby. */
  readonly backlogBytesMax: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

interface Idle {
  readonly stream: OutboundStream;
  sinceMs: number | undefined;
}

export class Replication implements Part {
  readonly name = "replication";
  readonly #options: ReplicationOptions;
  readonly #metrics: ReplicationMetrics;
  readonly #rooms = new Map<RoomId, CopiedRoom>();
  readonly #streams = new Map<NodeId, Idle>();
  readonly #unreachable = new LeftOut();
  /** Those that had no place for a room of that game, or run other code of it. */
  readonly #refusing = new Map<GameName, LeftOut>();
  #standbys: Standbys = { version: "", nodes: [] };
  #ticking: Cancel = () => {};
  #unfollow: Cancel = () => {};

  constructor(options: ReplicationOptions) {
    this.#options = options;
    this.#metrics = new ReplicationMetrics(options.metrics, {
      report: () => this.report,
      copyBytes: () => options.store.heldBytes,
    });
  }

  start(): void {
    const { clock, identity, enabled } = this.#options;
    if (!enabled) return;
    this.#ticking = clock.every(TICK_MS, () => this.#tick());
    this.#unfollow = identity.onReplaced(() => this.#renew());
  }

  stop(): void {
    this.#ticking();
    this.#unfollow();
    this.cut();
  }

  /** Of the standbys that it knows; undefined: nothing is copied from here. */
  get version(): string | undefined {
    return this.#options.enabled ? this.#standbys.version : undefined;
  }

  get report(): ReplicationReport {
    let protectedRooms = 0;
    for (const { isProtected } of this.#rooms.values()) if (isProtected) protectedRooms += 1;
    let lagMs = 0;
    for (const { stream } of this.#streams.values()) {
      if (stream.open && stream.rooms > 0) lagMs = Math.max(lagMs, stream.lagMs);
    }
    const unprotectedRooms = this.#rooms.size - protectedRooms;
    return { protectedRooms, unprotectedRooms, copies: this.#options.store.count, lagMs };
  }

  /** What the core says of them. */
  hear(standbys: Standbys): void {
    // Without any other, the standbys of before are better than none.
    const { nodes } = standbys.nodes.length > 0 ? standbys : this.#standbys;
    this.#standbys = { version: standbys.version, nodes };
    const named = new Set(nodes.map(({ nodeId }) => nodeId));
    this.#unreachable.retain(named);
    for (const leftOut of this.#refusing.values()) leftOut.retain(named);
    for (const copied of this.#rooms.values()) {
      if (copied.standby && !named.has(copied.standby)) copied.leave();
      if (!copied.standby) this.#assign(copied);
    }
  }

  /** The room has its epoch: from now on it is copied. */
  started(room: GameRoom, roomId: RoomId, game: GameName): void {
    if (!this.#options.enabled || this.#rooms.has(roomId)) return;
    const copied = new CopiedRoom(room, roomId, game);
    this.#rooms.set(roomId, copied);
    this.#assign(copied);
  }

  /** The room is gone, and so may its copies be. */
  ended(roomId: RoomId, room: object): void {
    const copied = this.#rooms.get(roomId);
    // One of that name may run here again.
    if (copied?.room !== room) return;
    this.#rooms.delete(roomId);
    copied.end();
  }

  /** The rooms are not this node's any more: who goes on with them may need the copies. */
  cut(): void {
    for (const copied of this.#rooms.values()) copied.stop();
    this.#rooms.clear();
    for (const { stream } of this.#streams.values()) stream.close();
    this.#streams.clear();
  }

  /** Who has a whole copy of the room. */
  standbyOf(roomId: RoomId): NodeId | undefined {
    const copied = this.#rooms.get(roomId);
    return copied?.isSettled ? copied.standby : undefined;
  }

  /**
   * Gives the standby the room as it is in the end. Nothing is sent of it any more, whatever the outcome.
   * @returns who has it; undefined when it did not say so in time
   */
  async give(roomId: RoomId, snapshot: Uint8Array, withinMs: number): Promise<NodeId | undefined> {
    const copied = this.#rooms.get(roomId);
    this.#rooms.delete(roomId);
    return copied?.give({ bytes: snapshot, players: copied.room.players.size, withinMs });
  }

  /** A stream to that node that takes what this node has of other nodes' rooms. */
  streamTo(node: NodeAddress): OutboundStream {
    return this.#streamTo(node);
  }

  #assign(copied: CopiedRoom): void {
    const nowMs = this.#options.clock.monotonicMs();
    const standby = chooseStandby({
      roomId: copied.roomId,
      current: copied.former,
      nodes: this.#standbys.nodes,
      leftOut: (nodeId) =>
        this.#unreachable.has(nodeId, nowMs) ||
        this.#refusing.get(copied.game)?.has(nodeId, nowMs) === true,
    });
    if (!standby) return;
    const onRefused = () => this.#refused(copied, standby.nodeId);
    copied.copyTo(this.#streamTo(standby), onRefused);
  }

  #streamTo(node: NodeAddress): OutboundStream {
    const known = this.#streams.get(node.nodeId);
    if (known) return known.stream;
    const { hello, identity, backlogBytesMax, clock } = this.#options;
    const stream = new OutboundStream({
      to: node,
      hello: hello(),
      identity,
      backlogBytesMax,
      onBroken: (broken, error) => this.#broken(broken, error),
      onSent: (bytes) => this.#metrics.sentBytes.inc(bytes),
      onDropped: () => this.#metrics.dropped.inc(),
      clock,
    });
    this.#metrics.streams.inc({ outcome: "begun" });
    this.#streams.set(node.nodeId, { stream, sinceMs: undefined });
    return stream;
  }

  #broken(stream: OutboundStream, error: unknown): void {
    const { clock, log } = this.#options;
    const { nodeId, linkAddress } = stream.to;
    this.#streams.delete(nodeId);
    const silent = isFailure(error, "timeout");
    this.#metrics.streams.inc({ outcome: silent ? "silent" : "broken" });
    // One that has worked may only have lost its connection; whoever is silent has had its time.
    if (!stream.welcomed || silent) this.#unreachable.failed(nodeId, clock.monotonicMs());
    let rooms = 0;
    for (const copied of this.#rooms.values()) if (copied.lose(stream)) rooms += 1;
    log.warn(
      { err: error, standby: nodeId, linkAddress, rooms, runbook: "region-replication" },
      "the stream to a standby broke: its rooms are copied anew",
    );
    for (const copied of this.#rooms.values()) if (!copied.standby) this.#assign(copied);
  }

  #refused(copied: CopiedRoom, nodeId: NodeId): void {
    this.#metrics.refused.inc();
    const refusing = this.#refusing.get(copied.game) ?? new LeftOut();
    this.#refusing.set(copied.game, refusing);
    refusing.failed(nodeId, this.#options.clock.monotonicMs());
    if (!copied.standby) this.#assign(copied);
  }

  #tick(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const copied of this.#rooms.values()) {
      if (!copied.standby) this.#assign(copied);
      else copied.settle();
    }
    for (const [nodeId, idle] of this.#streams) {
      const { stream } = idle;
      if (stream.open) this.#unreachable.worked(nodeId);
      idle.sinceMs = stream.rooms > 0 ? undefined : (idle.sinceMs ?? nowMs);
      if (idle.sinceMs === undefined || nowMs - idle.sinceMs < IDLE_MS) continue;
      stream.close();
      this.#streams.delete(nodeId);
    }
    this.#options.store.expire(nowMs);
  }

  /** New connections are made with the new credentials. */
  #renew(): void {
    const former = [...this.#streams.values()];
    this.#streams.clear();
    for (const copied of this.#rooms.values()) copied.stop();
    for (const { stream } of former) stream.close();
    for (const copied of this.#rooms.values()) this.#assign(copied);
  }
}
