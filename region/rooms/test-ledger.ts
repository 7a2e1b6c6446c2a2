/** For test rooms: what players own, decided by the core's own step on maps instead of tables. */
import { isDeepStrictEqual } from "node:util";
import { MeridianError } from "../../shared/errors.ts";
import type { PlayerId } from "../../shared/ids.ts";
import type { RoomOps, ValueAnswer, ValueOp } from "../../shared/protocol/value.ts";
import { decide, type ItemRow, touchedBy, type WalletRow } from "../../shared/value/value-step.ts";
import type { OwnedRoom, ValueService } from "./room-value.ts";

export class TestLedger implements ValueService {
  /** Whether the core answers; when it does not, operations fail and nothing changes. */
  up = true;
  readonly #wallets = new Map<string, WalletRow>();
  readonly #items = new Map<string, ItemRow>();
  readonly #decided = new Map<string, { readonly op: ValueOp; readonly answer: ValueAnswer }>();

  balance(playerId: PlayerId, currency: string): number {
    return this.#wallets.get(`${playerId} ${currency}`)?.balance ?? 0;
  }

  itemsOf(playerId: PlayerId): ItemRow[] {
    return [...this.#items.values()].filter(({ ownerId }) => ownerId === playerId);
  }

  /** Ids of the operations so far, refused ones too. */
  get ops(): string[] {
    return [...this.#decided.keys()];
  }

  async apply(_room: OwnedRoom, op: ValueOp): Promise<ValueAnswer> {
    if (!this.up) throw new MeridianError("unavailable");
    const before = this.#decided.get(op.id);
    if (before && !isDeepStrictEqual(before.op, op)) throw new MeridianError("conflict");
    if (before) return before.answer;
    const answer = this.#decide(op);
    this.#decided.set(op.id, { op, answer });
    return answer;
  }

  async opsAfter(_room: OwnedRoom, opSeq: number): Promise<RoomOps> {
    if (!this.up) throw new MeridianError("unavailable");
    return this.committedAfter(opSeq);
  }

  /** What a claim answers: all that was committed after that place. */
  committedAfter(opSeq: number): RoomOps {
    const later = [...this.#decided.values()].filter(({ answer }) => {
      return answer.outcome === "committed" && answer.opSeq > opSeq;
    });
    const ops = later.map(({ op, answer }) => ({ opSeq: answer.opSeq, ...op }));
    return { ops, upTo: Math.max(opSeq, this.#decided.size), more: false };
  }

  #decide({ changes }: ValueOp): ValueAnswer {
    const { players } = touchedBy(changes);
    const wallets = [...this.#wallets.values()];
    const items = [...this.#items.values()];
    const decision = decide(changes, { players: new Set(players), wallets, items });
    const opSeq = this.#decided.size + 1;
    if (decision.refusal) return { outcome: "refused", opSeq, refusal: decision.refusal };
    const { committed } = decision;
    for (const { playerId, currency, amount } of committed.wallets) {
      const balance = this.balance(playerId, currency) + amount;
      this.#wallets.set(`${playerId} ${currency}`, { playerId, currency, balance });
    }
    for (const item of [...committed.itemsMade, ...committed.itemsMoved]) {
      this.#items.set(item.itemId, item);
    }
    for (const itemId of committed.itemsGone) this.#items.delete(itemId);
    const changed = committed.wallets.map(({ playerId, currency }) => {
      return { playerId, currency, balance: this.balance(playerId, currency) };
    });
    return { outcome: "committed", opSeq, wallets: changed };
  }
}

/** For a node of several rooms: each has a ledger of its own, and so its own places in it. */
export class TestLedgers implements ValueService {
  readonly #ledgers = new Map<string, TestLedger>();

  apply(room: OwnedRoom, op: ValueOp): Promise<ValueAnswer> {
    return this.#of(room).apply(room, op);
  }

  opsAfter(room: OwnedRoom, opSeq: number): Promise<RoomOps> {
    return this.#of(room).opsAfter(room, opSeq);
  }

  #of({ roomId }: OwnedRoom): TestLedger {
    const ledger = this.#ledgers.get(roomId) ?? new TestLedger();
    this.#ledgers.set(roomId, ledger);
    return ledger;
  }
}
