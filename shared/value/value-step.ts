/**
 * Whether an operation may be carried out, and what it writes. Pure: the rows that it touches, locked by
 * the caller, go in; the rows to write come out. The core runs it on its tables, a test room on maps.
 *
 * Changes are looked at one after the other, each seeing what those before it did. One that can't be
 * done refuses the operation as a whole.
 */
import type { PlayerId } from "../ids.ts";
import type { Refusal, ValueChange } from "../protocol/value.ts";

/** Where numbers stop being exact in JSON. */
export const BALANCE_MAX = Number.MAX_SAFE_INTEGER;

export interface WalletRow {
  readonly playerId: PlayerId;
  readonly currency: string;
  readonly balance: number;
}

export interface ItemRow {
  readonly itemId: string;
  readonly kind: string;
  readonly ownerId: PlayerId;
}

/** A wallet's change by one operation; what is not a player's is the games'. */
export interface Delta {
  readonly playerId: PlayerId;
  readonly currency: string;
  readonly amount: number;
}

export interface Committed {
  readonly wallets: readonly Delta[];
  /** What the games gave (negative) or took, by currency: with `wallets` it sums to zero. */
  readonly games: ReadonlyMap<string, number>;
  readonly itemsMade: readonly ItemRow[];
  readonly itemsMoved: readonly ItemRow[];
  readonly itemsGone: readonly string[];
}

export type Decision =
  | { readonly refusal: Refusal }
  | { readonly refusal?: undefined; readonly committed: Committed };

export interface Touched {
  /** Those that there are of the players whom the operation names. */
  readonly players: ReadonlySet<PlayerId>;
  readonly wallets: readonly WalletRow[];
  readonly items: readonly ItemRow[];
}

/** The rows that an operation looks at, each once. */
export function touchedBy(changes: readonly ValueChange[]) {
  const players = new Set<PlayerId>();
  const wallets = new Map<string, { playerId: PlayerId; currency: string }>();
  const items = new Set<string>();
  for (const change of changes) {
    if ("itemId" in change) items.add(change.itemId);
    for (const playerId of partiesOf(change)) {
      players.add(playerId);
      if (!("currency" in change)) continue;
      const { currency } = change;
      wallets.set(keyOf(playerId, currency), { playerId, currency });
    }
  }
  return { players: [...players], wallets: [...wallets.values()], items: [...items] };
}

function partiesOf(change: ValueChange): PlayerId[] {
  return "from" in change ? [change.from, change.to] : [change.playerId];
}

export function decide(changes: readonly ValueChange[], touched: Touched): Decision {
  const everybody = changes.flatMap(partiesOf);
  if (!everybody.every((playerId) => touched.players.has(playerId))) {
    return { refusal: "no_such_player" };
  }
  const books = new Books(touched);
  for (const change of changes) {
    const refusal = carryOut(books, change);
    if (refusal) return { refusal };
  }
  return { committed: books.written() };
}

function carryOut(books: Books, change: ValueChange): Refusal | undefined {
  switch (change.kind) {
    case "credit":
      return books.add(change.playerId, change.currency, change.amount);
    case "debit":
      return books.add(change.playerId, change.currency, -change.amount);
    case "pay":
      return (
        books.add(change.from, change.currency, -change.amount) ??
        books.add(change.to, change.currency, change.amount)
      );
    case "grantItem":
      return books.make({
        itemId: change.itemId,
        kind: change.itemKind,
        ownerId: change.playerId,
      });
    case "giveItem":
      return books.move(change.itemId, change.from, change.to);
    case "takeItem":
      return books.move(change.itemId, change.playerId, undefined);
  }
}

/** The touched rows, as the changes so far leave them. */
class Books {
  readonly #balances = new Map<string, number>();
  readonly #deltas = new Map<string, Delta>();
  readonly #before: ReadonlySet<string>;
  readonly #items = new Map<string, ItemRow>();
  readonly #changed = new Map<string, ItemRow | undefined>();

  constructor({ wallets, items }: Touched) {
    for (const { playerId, currency, balance } of wallets) {
      this.#balances.set(keyOf(playerId, currency), balance);
    }
    this.#before = new Set(items.map(({ itemId }) => itemId));
    for (const item of items) this.#items.set(item.itemId, item);
  }

  add(playerId: PlayerId, currency: string, amount: number): Refusal | undefined {
    const key = keyOf(playerId, currency);
    const balance = (this.#balances.get(key) ?? 0) + amount;
    if (balance < 0) return "insufficient_funds";
    if (balance > BALANCE_MAX) return "too_much";
    this.#balances.set(key, balance);
    const before = this.#deltas.get(key)?.amount ?? 0;
    this.#deltas.set(key, { playerId, currency, amount: before + amount });
    return undefined;
  }

  make(item: ItemRow): Refusal | undefined {
    const known = this.#before.has(item.itemId) || this.#items.has(item.itemId);
    if (known) return "item_exists";
    this.#items.set(item.itemId, item);
    this.#changed.set(item.itemId, item);
    return undefined;
  }

  /** @param to nobody: the item is no more */
  move(itemId: string, from: PlayerId, to: PlayerId | undefined): Refusal | undefined {
    const item = this.#items.get(itemId);
    if (!item) return "no_such_item";
    if (item.ownerId !== from) return "not_the_owner";
    const moved = to && { ...item, ownerId: to };
    if (moved) this.#items.set(itemId, moved);
    else this.#items.delete(itemId);
    this.#changed.set(itemId, moved);
    return undefined;
  }

  written(): Committed {
    const wallets = [...this.#deltas.values()].filter(({ amount }) => amount !== 0);
    const games = new Map<string, number>();
    for (const { currency, amount } of wallets) {
      games.set(currency, (games.get(currency) ?? 0) - amount);
    }
    for (const [currency, amount] of games) if (amount === 0) games.delete(currency);
    const left = [...this.#changed.values()].flatMap((item) => item ?? []);
    const gone = [...this.#changed].filter(([, item]) => !item).map(([itemId]) => itemId);
    return {
      wallets,
      games,
      itemsMade: left.filter(({ itemId }) => !this.#before.has(itemId)),
      itemsMoved: left.filter(({ itemId }) => this.#before.has(itemId)),
      itemsGone: gone.filter((itemId) => this.#before.has(itemId)),
    };
  }
}

function keyOf(playerId: string, currency: string): string {
  return `${playerId} ${currency}`;
}
