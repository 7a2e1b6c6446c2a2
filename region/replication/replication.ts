/**
 * The owner's side: sees to it that each room that can be copied has a copy at one standby.
 *
 * A room is copied from the moment that it has its epoch until its end. All rooms with the same standby share one
 * stream. A stream that breaks is opened once more if it had worked; a standby that can't be reached is left out
 * for a while and its rooms get another one of those that the core names. Without any they run on, unprotected.
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
import type { CopyStore } from "./copy-store.ts";
import { LeftOut } from "./left-out.ts";
import { type Line, OutboundStream } from "./outbound-stream.ts";
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

interface Copying {
  readonly room: GameRoom;
  readonly roomId: RoomId;
  readonly game: GameName;
  at: At | undefined;
  /** Has an older copy, which is worth something until the new standby has a whole one. */
  former: At | undefined;
}

interface At {
  readonly stream: OutboundStream;
  readonly line: Line;
}

interface Idle {
  readonly stream: OutboundStream;
  sinceMs: number | undefined;
}

export class Replication implements Part {
  readonly name = "replication";
  readonly #options: ReplicationOptions;
  readonly #metrics: ReplicationMetrics;
  readonly #rooms = new Map<RoomId, Copying>();
  readonly #streams = new Map<NodeId, Idle>();
  readonly #unreachable = new LeftOut();
  /** Those that had no place for a room. */
  readonly #full = new LeftOut();
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
    for (const { at } of this.#rooms.values()) if (at?.stream.isWhole(at.line)) protectedRooms += 1;
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
    this.#full.retain(named);
    for (const copying of this.#rooms.values()) {
      if (copying.at && !named.has(copying.at.stream.to.nodeId)) this.#leave(copying);
      if (!copying.at) this.#assign(copying);
    }
  }

  /** The room has its epoch: from now on it is copied. */
  started(room: GameRoom, roomId: RoomId, game: GameName): void {
    if (!this.#options.enabled || this.#rooms.has(roomId)) return;
    const copying: Copying = { room, roomId, game, at: undefined, former: undefined };
    this.#rooms.set(roomId, copying);
    this.#assign(copying);
  }

  /** The room is gone, and so may its copies be. */
  ended(roomId: RoomId, room: object): void {
    const copying = this.#rooms.get(roomId);
    // One of that name may run here again.
    if (copying?.room !== room) return;
    this.#rooms.delete(roomId);
    for (const at of [copying?.at, copying?.former]) at?.stream.ended(at.line);
  }

  /** The rooms are not this node's any more: who goes on with them may need the copies. */
  cut(): void {
    for (const { room } of this.#rooms.values()) room.replicateTo(undefined);
    this.#rooms.clear();
    for (const { stream } of this.#streams.values()) stream.close();
    this.#streams.clear();
  }

  /** Who has a whole copy of the room. */
  standbyOf(roomId: RoomId): NodeId | undefined {
    const at = this.#rooms.get(roomId)?.at;
    return at?.stream.isWhole(at.line) ? at.stream.to.nodeId : undefined;
  }

  /**
   * Gives the standby the room as it is in the end. Nothing is sent of it any more, whatever the outcome.
   * @returns who has it; undefined when it did not say so in time
   */
  async give(roomId: RoomId, snapshot: Uint8Array, withinMs: number): Promise<NodeId | undefined> {
    const copying = this.#rooms.get(roomId);
    this.#rooms.delete(roomId);
    const { at, former, room } = copying ?? {};
    if (!at || !room) return undefined;
    const last = { bytes: snapshot, players: room.players.size, withinMs };
    if (!(await at.stream.last(at.line, last))) return undefined;
    former?.stream.ended(former.line);
    return at.stream.to.nodeId;
  }

  /** A stream to that node that takes what this node has of other nodes' rooms. */
  streamTo(node: NodeAddress): OutboundStream {
    return this.#streamTo(node);
  }

  #assign(copying: Copying): void {
    const { clock } = this.#options;
    const { roomId, game, room, former } = copying;
    const { epoch: roomEpoch } = room;
    const nowMs = clock.monotonicMs();
    const standby = chooseStandby({
      roomId,
      current: former?.stream.to.nodeId,
      nodes: this.#standbys.nodes,
      leftOut: (nodeId) => this.#unreachable.has(nodeId, nowMs) || this.#full.has(nodeId, nowMs),
    });
    if (!standby || !roomEpoch) return;
    const stream = this.#streamTo(standby);
    const send = (frame: Uint8Array) => {
      if (copying.at) stream.frame(copying.at.line, frame, room.players.size);
    };
    const line = stream.add(
      { roomId, game, roomEpoch },
      {
        begin: () => room.replicateTo(send),
        pause: () => room.replicateTo(undefined),
        refused: () => this.#refused(copying, standby.nodeId),
      },
    );
    copying.at = { stream, line };
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
    for (const copying of this.#rooms.values()) {
      if (copying.former?.stream === stream) copying.former = undefined;
      if (copying.at?.stream !== stream) continue;
      rooms += 1;
      copying.room.replicateTo(undefined);
      copying.at = undefined;
    }
    log.warn(
      { err: error, standby: nodeId, linkAddress, rooms, runbook: "region-replication" },
      "the stream to a standby broke: its rooms are copied anew",
    );
    for (const copying of this.#rooms.values()) if (!copying.at) this.#assign(copying);
  }

  #refused(copying: Copying, nodeId: NodeId): void {
    this.#metrics.refused.inc();
    this.#full.failed(nodeId, this.#options.clock.monotonicMs());
    copying.room.replicateTo(undefined);
    copying.at = undefined;
    this.#assign(copying);
  }

  /** Another standby is to be found; what this one has is kept until then. */
  #leave(copying: Copying): void {
    const { at, former } = copying;
    if (!at) return;
    copying.room.replicateTo(undefined);
    at.stream.forget(at.line);
    const whole = at.stream.isWhole(at.line);
    if (whole) former?.stream.ended(former.line);
    else at.stream.ended(at.line);
    copying.former = whole ? at : former;
    copying.at = undefined;
  }

  #tick(): void {
    const nowMs = this.#options.clock.monotonicMs();
    for (const copying of this.#rooms.values()) {
      const { at, former } = copying;
      if (!at) this.#assign(copying);
      else if (former && at.stream.isWhole(at.line)) {
        former.stream.ended(former.line);
        copying.former = undefined;
      }
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
    for (const copying of this.#rooms.values()) {
      copying.room.replicateTo(undefined);
      copying.at = undefined;
      copying.former = undefined;
    }
    for (const { stream } of former) stream.close();
    for (const copying of this.#rooms.values()) this.#assign(copying);
  }
}
