/**
 * A region's Redis, as far as the outbox uses it: streams that take entries in sequence only. What it
 * took is on its disk, or at its replica, a while later: a crash or a failover loses the rest.
 */

import type { Entry } from "../../region/outbox/producer-step.ts";
import type { NodeId } from "../../shared/ids.ts";
import type { ProducerId } from "../../shared/protocol/player-state.ts";
import { History, Table } from "./history.ts";

export interface Stream {
  /** The newest that it was ever given. */
  readonly lastSeq: number;
  readonly entries: readonly Entry[];
  /** Somebody sends it on: its writer appends nothing to it any more. */
  readonly taken: boolean;
  /** It was sent to its end: it is there only so that its writer does not begin it anew. */
  readonly retired?: boolean;
}

interface Reservation {
  readonly by: NodeId;
  readonly untilMs: number;
}

export class RedisModel {
  down = false;
  /** It has come back without some of what it had taken. */
  hasLost = false;
  /** Another one after each crash: who waited for an answer gets none. */
  life = 1;
  /** Nodes' signs of life, and until when they hold. */
  readonly aliveUntilMs = new Map<NodeId, number>();
  /** Up to which it can't lose anything by a crash. */
  syncedPosition = 0;
  history = new History();
  streams = new Table<Stream>(this.history);
  #reservations = new Table<Reservation>(this.history);

  open(id: ProducerId): void {
    if (this.streams.get(id)) return;
    this.history.commit(() => this.streams.set(id, { lastSeq: 0, entries: [], taken: false }));
  }

  /** @returns false when the stream does not hold what it had taken */
  append(id: ProducerId, entry: Entry): boolean {
    const stream = this.streams.get(id);
    if (!stream || stream.taken) return false;
    if (stream.lastSeq === entry.seq) return true;
    if (stream.lastSeq !== entry.seq - 1) return false;
    const entries = [...stream.entries, entry];
    this.history.commit(() => this.streams.set(id, { ...stream, lastSeq: entry.seq, entries }));
    return true;
  }

  take(id: ProducerId): void {
    const stream = this.streams.get(id);
    if (stream) this.history.commit(() => this.streams.set(id, { ...stream, taken: true }));
  }

  trim(id: ProducerId, upTo: number): void {
    const stream = this.streams.get(id);
    if (!stream) return;
    const entries = stream.entries.filter(({ seq }) => seq > upTo);
    this.history.commit(() => this.streams.set(id, { ...stream, entries }));
  }

  retire(id: ProducerId): void {
    const stream = this.streams.get(id) ?? { lastSeq: 0 };
    const retired = { ...stream, entries: [], taken: true, retired: true };
    this.history.commit(() => this.streams.set(id, retired));
  }

  forget(id: ProducerId): void {
    if (this.streams.get(id)) this.history.commit(() => this.streams.delete(id));
  }

  /** Keeps others from the same stream for a while. @returns whether nobody else who lives has it */
  reserve(id: ProducerId, by: NodeId, nowMs: number, holdMs: number): boolean {
    const other = this.#reservations.get(id);
    const lives = other && (this.aliveUntilMs.get(other.by) ?? 0) > nowMs;
    if (lives && other.untilMs > nowMs) return false;
    this.history.commit(() => this.#reservations.set(id, { by, untilMs: nowMs + holdMs }));
    return true;
  }

  list(): ProducerId[] {
    const there = this.streams.entries().filter(([, { retired }]) => !retired);
    return there.map(([id]) => id as ProducerId);
  }

  /** Comes back as it was at that position. */
  rewind(position: number): void {
    this.history.rewind(position);
    this.syncedPosition = this.history.position;
  }

  /** Comes back empty. */
  wipe(): void {
    this.aliveUntilMs.clear();
    this.history = new History();
    this.streams = new Table<Stream>(this.history);
    this.#reservations = new Table<Reservation>(this.history);
    this.syncedPosition = 0;
  }
}
