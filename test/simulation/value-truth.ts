/** What really happened to what is worth money, and what must therefore hold. */
import { compareEpochs, type Epoch } from "../../shared/epoch.ts";
import type { ValueAnswer, ValueOp, ValueRequest } from "../../shared/protocol/value.ts";
import type { CoreDatabase, LedgerRow } from "./core-database.ts";
import { Violation } from "./violation.ts";

interface Promised {
  readonly answer: ValueAnswer;
  readonly committedAt: number;
}

export class ValueTruth {
  /** Operations whose outcome a room was told. */
  readonly #promised = new Map<string, Promised>();
  readonly #claimed = new Map<string, Epoch>();

  roomClaimed(roomId: string, epoch: Epoch): void {
    const before = this.#claimed.get(roomId);
    if (!before || compareEpochs(epoch, before) > 0) this.#claimed.set(roomId, epoch);
  }

  valueCommitted({ roomId, roomEpoch, op }: ValueRequest, answer: ValueAnswer): void {
    const claimed = this.#claimed.get(roomId);
    if (claimed && compareEpochs(roomEpoch, claimed) < 0) {
      const story = `${op.id} by ${roomEpoch} of ${roomId}, which ${claimed} has`;
      throw new Violation("at most one accepted owner", story);
    }
    const promised = this.#promised.get(op.id);
    if (!promised || promised.answer.outcome === answer.outcome) return;
    throw new Violation("class A is decided for good", `${op.id} again: ${answer.outcome}`);
  }

  valueAnswered({ id }: ValueOp, answer: ValueAnswer, committedAt: number): void {
    const promised = this.#promised.get(id);
    if (promised && promised.answer.outcome !== answer.outcome) {
      throw new Violation("class A is decided for good", `${id}: ${answer.outcome}`);
    }
    this.#promised.set(id, { answer, committedAt });
  }

  booked(opId: string, entries: readonly LedgerRow[], again: boolean): void {
    if (again) throw new Violation("no class A operation is doubled", opId);
    const sum = entries.reduce((total, { amount }) => total + amount, 0);
    if (sum !== 0) throw new Violation("the ledger sums to zero", `${opId}: ${sum}`);
  }

  /** A restore takes back what was promised after the backup; all older promises hold. */
  valueRestored(position: number): void {
    for (const [id, { committedAt }] of this.#promised) {
      if (committedAt > position) this.#promised.delete(id);
    }
    this.#claimed.clear();
  }

  /** Looks at every row: after each rewind, and at the end. */
  checkValue({ ops, ledger, wallets }: CoreDatabase): void {
    for (const [id, { answer }] of this.#promised) {
      const there = ops.get(id)?.answer;
      if (there?.outcome !== answer.outcome) {
        throw new Violation("no acknowledged class A operation is lost", id);
      }
    }
    const sums = new Map<string, number>();
    const causes = new Set<string>();
    for (const [opId, entries] of ledger.entries()) {
      // Whatever the id, a room has one operation for a cause and a player.
      const cause = opId.split("~")[0] as string;
      if (causes.has(cause)) throw new Violation("no class A operation is doubled", opId);
      causes.add(cause);
      for (const { playerId, currency, amount } of entries) {
        const key = `${playerId} ${currency}`;
        sums.set(key, (sums.get(key) ?? 0) + amount);
      }
    }
    for (const [key, { balance }] of wallets.entries()) {
      if (balance < 0) throw new Violation("no balance is below zero", `${key}: ${balance}`);
      if (sums.get(key) === balance) continue;
      throw new Violation("wallets are what was booked", `${key}: ${balance}, ${sums.get(key)}`);
    }
  }
}
