/**
 * The core's database: tables, transactions that hold their rows' locks until the commit, a log that
 * reaches the standby (or the disk) later, a backup. A promotion takes it back to what the standby had, a
 * restore to the backup.
 */
import type { Checkpoint, DocumentRow } from "../../core/sync/applier-step.ts";
import type { Ownership } from "../../core/sync/ownership-step.ts";
import type { Epoch } from "../../shared/epoch.ts";
import type { NodeId } from "../../shared/ids.ts";
import type { ValueAnswer } from "../../shared/protocol/value.ts";
import type { ItemRow, WalletRow } from "../../shared/value/value-step.ts";
import { History, Table } from "./history.ts";
import type { Schedule } from "./schedule.ts";

export interface CheckpointRow extends Checkpoint {
  /** Where in the log each sequence number was applied; only those that may not be flushed. */
  readonly applied: readonly { readonly seq: number; readonly position: number }[];
  readonly closedAt: number;
}

export interface OwnerRow extends Ownership {
  readonly grantedAt: number;
}

export interface RoomRow {
  readonly nodeId: NodeId;
  readonly epoch: Epoch;
  readonly claimedAt: number;
  readonly opSeq: number;
}

export interface OpRow {
  readonly body: string;
  readonly answer: ValueAnswer;
  readonly committedAt: number;
}

export interface SessionRow {
  readonly epoch: Epoch;
}

export interface LedgerRow {
  readonly playerId: string;
  readonly currency: string;
  readonly amount: number;
}

interface Waiter {
  readonly position: number;
  readonly run: () => void;
}

interface LockWaiter {
  readonly keys: readonly string[];
  readonly run: () => void;
}

/** From a commit to the standby's having it, unless it lags. */
export const FLUSH_MS = 5;

export class CoreDatabase {
  readonly history = new History();
  readonly checkpoints = new Table<CheckpointRow>(this.history);
  /** By node and shard: the newest incarnation of which something was applied. */
  readonly incarnations = new Table<number>(this.history);
  readonly owners = new Table<OwnerRow>(this.history);
  readonly documents = new Table<DocumentRow>(this.history);
  readonly sessions = new Table<SessionRow>(this.history);
  readonly rooms = new Table<RoomRow>(this.history);
  readonly fenced = new Table<true>(this.history);
  readonly ops = new Table<OpRow>(this.history);
  readonly wallets = new Table<WalletRow>(this.history);
  readonly items = new Table<ItemRow>(this.history);
  /** By operation; one that was booked twice has its entries twice. */
  readonly ledger = new Table<readonly LedgerRow[]>(this.history);

  flushedPosition = 0;
  backupPosition = 0;
  /** How long a commit takes to the standby. */
  flushMs = FLUSH_MS;

  readonly #schedule: Schedule;
  /** Another one after each rewind: what was on its way to the standby before is void. */
  #timeline = 0;
  #waiters: Waiter[] = [];
  #locked = new Set<string>();
  #lockWaiters: LockWaiter[] = [];

  constructor(schedule: Schedule) {
    this.#schedule = schedule;
  }

  /** Calls `run` once nobody else holds any of them. */
  lock(keys: readonly string[], run: () => void): void {
    const free =
      keys.every((key) => !this.#locked.has(key)) &&
      !this.#lockWaiters.some((waiter) => waiter.keys.some((key) => keys.includes(key)));
    if (!free) {
      this.#lockWaiters.push({ keys, run });
      return;
    }
    for (const key of keys) this.#locked.add(key);
    run();
  }

  unlock(keys: readonly string[]): void {
    for (const key of keys) this.#locked.delete(key);
    const waiters = this.#lockWaiters;
    this.#lockWaiters = [];
    for (const { keys: wanted, run } of waiters) this.lock(wanted, run);
  }

  commit(write: (position: number) => void): number {
    const position = this.history.commit(write);
    const timeline = this.#timeline;
    this.#schedule.after(this.flushMs, () => {
      if (timeline === this.#timeline) this.#flushed(position);
    });
    return position;
  }

  whenFlushed(position: number, run: () => void): void {
    if (position <= this.flushedPosition) run();
    else this.#waiters.push({ position, run });
  }

  /** The process died: its transactions and who waited for them are gone. */
  dropSessions(): void {
    this.#waiters = [];
    this.#locked = new Set();
    this.#lockWaiters = [];
  }

  rewind(position: number): void {
    this.history.rewind(position);
    this.#timeline += 1;
    this.flushedPosition = this.history.position;
    this.backupPosition = Math.min(this.backupPosition, position);
    this.dropSessions();
  }

  #flushed(position: number): void {
    if (position <= this.flushedPosition) return;
    this.flushedPosition = position;
    const due = this.#waiters.filter((waiter) => waiter.position <= position);
    this.#waiters = this.#waiters.filter((waiter) => waiter.position > position);
    for (const { run } of due) run();
  }
}
