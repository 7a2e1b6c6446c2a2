/**
 * Many operations in one transaction: each decided as it would be alone, on what those before it in the
 * group left. Rows are taken in the one order of all operations: rooms, players, wallets, items. Only then
 * the first is written, so that of two that name one row the later has the later number (`ops.n`) and time.
 *
 * Nothing is worked out for a group that is not plain: an operation that was decided before, or an item
 * that somebody makes at this moment, undoes it, and each operation then goes alone. A group of one is how
 * an operation goes alone.
 */
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { ValueAnswer, ValueRequest } from "../../shared/protocol/value.ts";
import {
  type Committed,
  type Decision,
  decide,
  type ItemRow,
  type Touched,
  touchedBy,
  type WalletRow,
} from "../../shared/value/value-step.ts";
import type { Tx } from "../db/database.ts";
import type { Outcome } from "./group-commit.ts";
import { takePlace } from "./place.ts";
import * as store from "./value-store.ts";
import { DecidedElsewhere, writeCommitted } from "./write-committed.ts";

/** @throws {DecidedElsewhere} when the transaction must be undone, and each is to go alone */
export async function decideTogether(
  tx: Tx,
  requests: readonly ValueRequest[],
  clock: Pick<Clock, "nowMs">,
): Promise<Outcome<ValueAnswer>[]> {
  const byRoom = [...requests].sort((a, b) => compareText(a.roomId, b.roomId));
  const wanted = touchedBy(byRoom.flatMap(({ op }) => op.changes));
  // Sent together, and carried out in this order.
  const [places, touched] = await Promise.all([
    Promise.all(byRoom.map((request) => takePlace(tx, request))),
    store.lockTouched(tx, wanted),
  ]);
  // Locks may have been waited for, and the reconciler expects the commit within a minute of this time.
  const at = new Date(clock.nowMs());
  const rows = new Rows(touched);
  const writing: Promise<Outcome<ValueAnswer>>[] = [];
  for (const [index, request] of byRoom.entries()) {
    const opSeq = places[index];
    if (opSeq === undefined || opSeq instanceof MeridianError) {
      writing.push(Promise.resolve({ error: opSeq }));
      continue;
    }
    const decision = rows.decide(request);
    const written = write(tx, request, { decision, opSeq, at });
    writing.push(written);
    // A failure is heard below, when all are waited for.
    written.catch(() => undefined);
    // An item's row may be written again by the next: one after the other.
    if (!decision.refusal && touchesItems(decision.committed)) await written.catch(() => undefined);
  }
  const outcomes = await Promise.all(writing);
  const byRequest = new Map(byRoom.map((request, index) => [request, outcomes[index]]));
  return requests.flatMap((request) => byRequest.get(request) ?? []);
}

interface Decided {
  readonly decision: Decision;
  readonly opSeq: number;
  readonly at: Date;
}

/** @throws {DecidedElsewhere} when it was decided before, or an item of it is made elsewhere */
async function write(
  tx: Tx,
  { roomId, op }: ValueRequest,
  { decision, opSeq, at }: Decided,
): Promise<Outcome<ValueAnswer>> {
  const { refusal } = decision;
  const [first, wallets] = await Promise.all([
    store.insertOp(tx, op, { roomId, opSeq, refusal, at }),
    decision.refusal ? [] : writeCommitted(tx, op.id, decision.committed, at),
  ]);
  if (!first) throw new DecidedElsewhere();
  if (refusal) return { answer: { outcome: "refused", opSeq, refusal } };
  return { answer: { outcome: "committed", opSeq, wallets } };
}

/** The group's rows, as the operations so far leave them. */
class Rows {
  readonly #players: Touched["players"];
  readonly #wallets: Map<string, WalletRow>;
  readonly #items: Map<string, ItemRow>;

  constructor({ players, wallets, items }: Touched) {
    this.#players = players;
    this.#wallets = new Map(wallets.map((wallet) => [keyOf(wallet), wallet]));
    this.#items = new Map(items.map((item) => [item.itemId, item]));
  }

  decide({ op }: ValueRequest): Decision {
    const wanted = touchedBy(op.changes);
    const decision = decide(op.changes, {
      players: this.#players,
      wallets: wanted.wallets.flatMap((wallet) => this.#wallets.get(keyOf(wallet)) ?? []),
      items: wanted.items.flatMap((itemId) => this.#items.get(itemId) ?? []),
    });
    if (!decision.refusal) this.#apply(decision.committed);
    return decision;
  }

  #apply({ wallets, itemsMade, itemsMoved, itemsGone }: Committed): void {
    for (const { playerId, currency, amount } of wallets) {
      const key = keyOf({ playerId, currency });
      const balance = (this.#wallets.get(key)?.balance ?? 0) + amount;
      this.#wallets.set(key, { playerId, currency, balance });
    }
    for (const item of [...itemsMade, ...itemsMoved]) this.#items.set(item.itemId, item);
    for (const itemId of itemsGone) this.#items.delete(itemId);
  }
}

function touchesItems({ itemsMade, itemsMoved, itemsGone }: Committed): boolean {
  return itemsMade.length + itemsMoved.length + itemsGone.length > 0;
}

function keyOf({ playerId, currency }: Omit<WalletRow, "balance">): string {
  return `${playerId} ${currency}`;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
