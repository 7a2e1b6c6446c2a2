/**
 * What the core committed lately, kept for the case that it loses it: it is restored from a backup, or a
 * standby takes over that had not got everything. Then its term rises, and what it committed before is sent
 * again under the same ids.
 *
 * Kept for `KEPT_MS`, and `KEPT_CHANGES_MAX` changes at most (some 15 MB); past that the oldest go first and
 * are no longer protected here, only by the backup.
 */
import type { RoomId } from "../../shared/ids.ts";
import type { ValueOp } from "../../shared/protocol/value.ts";

/** Longer than standbys lag and write-ahead logs wait to be archived. */
export const KEPT_MS = 600_000;
export const KEPT_CHANGES_MAX = 50_000;

export interface KeptOp {
  readonly roomId: RoomId;
  readonly opSeq: number;
  readonly op: ValueOp;
  /** Of the core that committed it last. */
  readonly coreTerm: number;
}

interface Aged extends KeptOp {
  readonly keptAtMs: number;
}

export class KeptOps {
  #changes = 0;
  /** Oldest first. */
  #kept: Aged[] = [];

  get count(): number {
    return this.#kept.length;
  }

  add(op: KeptOp, nowMs: number): void {
    this.#kept.push({ ...op, keptAtMs: nowMs });
    this.#changes += op.op.changes.length;
    this.#drop(nowMs);
  }

  hasBefore(coreTerm: number): boolean {
    return this.#kept.some((one) => one.coreTerm < coreTerm);
  }

  /** Takes out those that were committed before that term, oldest first. */
  takeBefore(coreTerm: number): KeptOp[] {
    const taken = this.#kept.filter((one) => one.coreTerm < coreTerm);
    this.#kept = this.#kept.filter((one) => one.coreTerm >= coreTerm);
    this.#changes = this.#kept.reduce((sum, { op }) => sum + op.changes.length, 0);
    return taken;
  }

  #drop(nowMs: number): void {
    let gone = 0;
    for (const { op, keptAtMs } of this.#kept) {
      if (keptAtMs + KEPT_MS > nowMs && this.#changes <= KEPT_CHANGES_MAX) break;
      this.#changes -= op.changes.length;
      gone += 1;
    }
    if (gone > 0) this.#kept.splice(0, gone);
  }
}
