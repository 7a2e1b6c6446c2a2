/**
 * Holds what players were promised against the database. Pure.
 *
 * - **lost**: an operation that a player was told is done, and that is not in `ops`, or not in the ledger
 *   with all its amounts, or that is there as another one;
 * - **doubled**: one whose amounts are in the ledger more than once, or that was done under two ids;
 * - **unsound**: what must hold whatever players were told: amounts sum to zero, wallets are what was
 *   booked, items are where their last operation put them, refused operations changed nothing.
 *
 * Every operation of the database is looked at, not only those that somebody was told of.
 */
import type { ValueChange } from "../../../shared/protocol/value.ts";
import type { PromisedOp } from "./client-records.ts";
import type { LedgerRow, OpRow, Tables } from "./ledger-tables.ts";

/** The games' side of the ledger. */
const GAMES = "00000000-0000-0000-0000-000000000000";
/** Of accounts that were deleted; no operation of a room. */
const BOOKED_OUT = "account-deleted/";
/** Causes that name an entity are another one's in each room. */
const OF_ENTITY = /^\/e\d+\//;

export interface Audit {
  /** How many operations players were told of. */
  readonly promised: number;
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
  readonly unsound: readonly string[];
}

export function audit(promised: readonly PromisedOp[], tables: Tables): Audit {
  const ops = new Map(tables.ops.map((op) => [op.id, op]));
  const booked = groupByOp(tables.ledger);
  const lost = new Set<string>();
  for (const promise of promised) {
    const found = ops.get(promise.id);
    if (!found) lost.add(`${promise.id} is not there`);
    else if (!sameOp(promise, found)) lost.add(`${promise.id} is another one: ${textOf(found)}`);
  }
  const doubled = twiceDone(tables.ops);
  const unsound: string[] = [];
  for (const op of tables.ops) {
    const missing = compare(op, booked.get(op.id) ?? []);
    if (missing === "less") lost.add(`${op.id} is not in the ledger as it should be`);
    if (missing === "more") doubled.push(`${op.id} is in the ledger more than once`);
  }
  unsound.push(...strayEntries(tables, ops), ...unbalanced(tables.ledger));
  unsound.push(...wrongWallets(tables), ...wrongItems(tables));
  return { promised: promised.length, lost: [...lost], doubled, unsound };
}

/** `1,234 ops: 0 lost, 0 doubled`, and what is wrong. */
export function auditText({ promised, lost, doubled, unsound }: Audit): string {
  const counts = `${promised} ops: ${lost.length} lost, ${doubled.length} doubled`;
  const wrong = [...lost, ...doubled, ...unsound];
  return wrong.length === 0 ? counts : `${counts}; ${wrong.slice(0, SHOWN_MAX).join("; ")}`;
}

const SHOWN_MAX = 10;

export function isClean({ lost, doubled, unsound }: Audit): boolean {
  return lost.length + doubled.length + unsound.length === 0;
}

function sameOp(promise: PromisedOp, found: OpRow): boolean {
  return (
    promise.refusal === found.refusal && canonical(promise.changes) === canonical(found.changes)
  );
}

/** The database does not keep the order of a body's names. */
function canonical(changes: readonly ValueChange[]): string {
  return JSON.stringify(changes.map((change) => Object.entries(change).sort()));
}

/** A cause is used for one thing; its room and its player are the rest of the id. */
function twiceDone(ops: readonly OpRow[]): string[] {
  const rooms = new Map<string, string>();
  const twice: string[] = [];
  for (const { id, roomId, refusal } of ops) {
    if (refusal !== null) continue;
    const cause = id.slice(roomId.length);
    if (OF_ENTITY.test(cause)) continue;
    const before = rooms.get(cause);
    if (before !== undefined) twice.push(`${cause} was done in ${before} and in ${roomId}`);
    rooms.set(cause, roomId);
  }
  return twice;
}

/** How the ledger's entries of an operation differ from those that it should have. */
function compare(op: OpRow, entries: readonly LedgerRow[]): "less" | "more" | undefined {
  const expected = amountsOf(op);
  const found = new Map<string, number>();
  for (const { playerId, currency, amount } of entries) add(found, playerId, currency, amount);
  if (entries.length > expected.size) return "more";
  const same = [...expected].every(([key, amount]) => found.get(key) === amount);
  return same && entries.length === expected.size ? undefined : "less";
}

/** What the changes of an operation sum to, by player and currency; the games' side too. */
function amountsOf({ changes, refusal }: OpRow): Map<string, number> {
  const amounts = new Map<string, number>();
  if (refusal !== null) return amounts;
  for (const change of changes) {
    if (!("amount" in change)) continue;
    const { currency, amount } = change;
    const from =
      change.kind === "pay" ? change.from : change.kind === "debit" ? change.playerId : GAMES;
    const to =
      change.kind === "pay" ? change.to : change.kind === "credit" ? change.playerId : GAMES;
    add(amounts, from, currency, -amount);
    add(amounts, to, currency, amount);
  }
  for (const [key, amount] of amounts) if (amount === 0) amounts.delete(key);
  return amounts;
}

/** Money that nobody's operation moved. */
function strayEntries({ ledger }: Tables, ops: ReadonlyMap<string, OpRow>): string[] {
  const stray = ledger.filter(({ opId }) => !ops.has(opId) && !opId.startsWith(BOOKED_OUT));
  return [...new Set(stray.map(({ opId }) => `the ledger has ${opId}, which is no operation`))];
}

function unbalanced(ledger: readonly LedgerRow[]): string[] {
  const sums = new Map<string, number>();
  for (const { opId, currency, amount } of ledger) add(sums, opId, currency, amount);
  return [...sums].filter(([, sum]) => sum !== 0).map(([key, sum]) => `${key} sums to ${sum}`);
}

function wrongWallets({ ledger, wallets }: Tables): string[] {
  const booked = new Map<string, number>();
  for (const { playerId, currency, amount } of ledger) {
    if (playerId !== GAMES) add(booked, playerId, currency, amount);
  }
  const wrong: string[] = [];
  for (const { playerId, currency, amount } of wallets) {
    const key = `${playerId} ${currency}`;
    const sum = booked.get(key) ?? 0;
    booked.delete(key);
    if (sum !== amount) wrong.push(`the wallet ${key} has ${amount}, booked are ${sum}`);
  }
  const left = [...booked].filter(([, sum]) => sum !== 0);
  return [...wrong, ...left.map(([key, sum]) => `there is no wallet ${key}, booked are ${sum}`)];
}

/** Every item is where the last operation on it put it. */
function wrongItems({ ops, items }: Tables): string[] {
  const owners = new Map<string, string>();
  for (const { changes } of ops.filter(({ refusal }) => refusal === null)) {
    for (const change of changes) {
      if (change.kind === "grantItem") owners.set(change.itemId, change.playerId);
      if (change.kind === "giveItem") owners.set(change.itemId, change.to);
      if (change.kind === "takeItem") owners.delete(change.itemId);
    }
  }
  const wrong: string[] = [];
  for (const { itemId, ownerId } of items) {
    const owner = owners.get(itemId);
    owners.delete(itemId);
    if (owner !== ownerId)
      wrong.push(`${itemId} is ${ownerId}'s, and should be ${owner ?? "gone"}`);
  }
  return [...wrong, ...[...owners].map(([itemId, owner]) => `${itemId} of ${owner} is not there`)];
}

function groupByOp(ledger: readonly LedgerRow[]): Map<string, LedgerRow[]> {
  const groups = new Map<string, LedgerRow[]>();
  for (const row of ledger) {
    const group = groups.get(row.opId);
    if (group) group.push(row);
    else groups.set(row.opId, [row]);
  }
  return groups;
}

function add(sums: Map<string, number>, whose: string, currency: string, amount: number): void {
  const key = `${whose} ${currency}`;
  sums.set(key, (sums.get(key) ?? 0) + amount);
}

function textOf({ refusal, changes }: OpRow): string {
  return `${refusal ?? "committed"} ${JSON.stringify(changes)}`;
}
