/**
 * One run of the reconciler: what it looks at, in which portions, all of one moment of the database.
 *
 * A round looks at
 * - every operation that was booked since the round before, by windows of time: does it sum to zero, and are
 *   its items what it left them;
 * - the next players and the next items, a bounded number, by turns: is each wallet what was booked for it, is
 *   each item the last operation's that wrote it;
 * - the sum of the whole ledger, when a turn of the players begins;
 * - whatever was wrong at the last look.
 *
 * So a round costs what happened since, and a fixed amount more, whatever the ledger has grown to: 100,000
 * players and as many items, a thousand a statement. That took 5.8 s with 2,000,000 entries on two shared cores
 * that were busy, of which 1.3 s were the sum of the whole ledger, the one thing that grows: a statement for each
 * partition, once a turn. A whole run looks at all players and items at once. A statement that takes 5 s ends
 * the run, and the next one begins where this one did.
 */
import type { PlayerId } from "../../shared/ids.ts";
import type { Reads } from "../db/stale-reads.ts";
import type { Difference } from "./differences.ts";
import * as store from "./reconcile-store.ts";

const PAGE = 1_000;
const PAGES_MAX = 100;
const WINDOW_MS = 60_000;
const WINDOWS_MAX = 240;
/** An operation is committed within this after the time that it is booked at. */
const COMMIT_MS = 60_000;
/** Items of older operations are looked at by turns only. */
const ITEM_OPS_MS = 1_200_000;
const BAD_WINDOWS_MAX = 100;

interface Window {
  readonly from: Date;
  readonly to: Date;
}

/** What is wrong, in the form in which it can be looked at again. */
export interface Found {
  readonly wallets: ReadonlyMap<PlayerId, readonly Difference[]>;
  readonly windows: readonly (Window & { readonly differences: readonly Difference[] })[];
  readonly items: ReadonlyMap<string, Difference>;
  /** By operation: items that its effect is missing on. */
  readonly forgotten: ReadonlyMap<string, Difference>;
  readonly ledger: readonly Difference[];
}

export const NOTHING_FOUND: Found = {
  wallets: new Map(),
  windows: [],
  items: new Map(),
  forgotten: new Map(),
  ledger: [],
};

export interface Look {
  readonly found: Found;
  /** Where the next round goes on. */
  readonly position: store.Position;
}

export function differencesIn(found: Found): Difference[] {
  const all = [
    ...[...found.wallets.values()].flat(),
    ...found.windows.flatMap(({ differences }) => differences),
    ...found.ledger,
    ...found.items.values(),
    ...found.forgotten.values(),
  ];
  // Two looks may have found one item.
  return [...new Map(all.map((one) => [`${one.kind} ${one.subject}`, one])).values()];
}

/** @param whole all players and items, instead of the next ones */
export async function look(
  tx: Reads,
  {
    whole,
    nowMs,
    before,
  }: { readonly whole: boolean; readonly nowMs: number; readonly before: Found },
): Promise<Look> {
  const position = (await store.selectPosition(tx)) ?? {
    bookedTo: new Date(0),
    playerId: store.NOBODY,
    itemId: "",
  };
  const from = whole ? { ...position, playerId: store.NOBODY, itemId: "" } : position;
  const pagesMax = whole ? Number.POSITIVE_INFINITY : PAGES_MAX;
  const windows = await lookAtWindows(tx, position.bookedTo, nowMs, before);
  const forgotten = await lookAtItemOps(tx, position.bookedTo, nowMs, before);
  const sumUp = from.playerId === store.NOBODY || before.ledger.length > 0;
  const ledger = sumUp ? await sumLedger(tx) : [];
  const players = await lookAtWallets(tx, from.playerId, pagesMax, before);
  const items = await lookAtItems(tx, from.itemId, pagesMax, before);
  return {
    found: { windows: windows.bad, forgotten, ledger, wallets: players.wrong, items: items.wrong },
    position: { bookedTo: windows.bookedTo, playerId: players.last, itemId: items.last },
  };
}

async function lookAtWindows(tx: Reads, bookedTo: Date, nowMs: number, before: Found) {
  const bad: Found["windows"][number][] = [];
  const lookAt = async ({ from, to }: Window) => {
    const rows = await store.selectUnbalanced(tx, from, to);
    const differences = rows.map(({ op_id, currency, sum }) =>
      difference("operation", `${op_id} ${currency}`, "0", sum),
    );
    if (differences.length > 0) bad.push({ from, to, differences });
  };
  for (const window of before.windows) await lookAt(window);
  const endMs = nowMs - COMMIT_MS;
  let reached = bookedTo;
  for (let windows = 0; windows < WINDOWS_MAX; windows += 1) {
    const from = await store.selectFirstBooked(tx, reached);
    if (!from || from.getTime() >= endMs) break;
    reached = new Date(Math.min(from.getTime() + WINDOW_MS, endMs));
    await lookAt({ from, to: reached });
  }
  return { bad: bad.slice(0, BAD_WINDOWS_MAX), bookedTo: reached };
}

async function lookAtItemOps(tx: Reads, bookedTo: Date, nowMs: number, before: Found) {
  const sinceMs = Math.max(bookedTo.getTime(), nowMs - ITEM_OPS_MS) - COMMIT_MS;
  const opIds = [...before.forgotten.keys()];
  const rows = await store.selectForgottenOps(tx, new Date(sinceMs), opIds);
  return new Map(rows.map((row) => [row.op_id ?? "", itemDifference(row)]));
}

async function lookAtWallets(tx: Reads, after: PlayerId, pagesMax: number, before: Found) {
  const wrong = new Map<PlayerId, Difference[]>();
  const lookAt = async (playerIds: readonly PlayerId[]) => {
    for (const row of await store.selectWrongWallets(tx, playerIds)) {
      const { player_id, currency, balance, booked } = row;
      const subject = `${player_id} ${currency}`;
      const others = (wrong.get(player_id) ?? []).filter((one) => one.subject !== subject);
      const one = difference("wallet", subject, booked ?? "0", balance ?? "0");
      wrong.set(player_id, [...others, one]);
    }
  };
  await lookAt([...before.wallets.keys()]);
  let last = after;
  for (let pages = 0; pages < pagesMax; pages += 1) {
    const playerIds = await store.selectNextPlayers(tx, last, PAGE);
    await lookAt(playerIds);
    last = playerIds.length < PAGE ? store.NOBODY : (playerIds.at(-1) ?? store.NOBODY);
    if (last === store.NOBODY) break;
  }
  return { wrong, last };
}

async function lookAtItems(tx: Reads, after: string, pagesMax: number, before: Found) {
  const wrong = new Map<string, Difference>();
  const lookAt = async (itemIds: readonly string[]) => {
    for (const row of await store.selectWrongItems(tx, itemIds)) {
      wrong.set(row.item_id, itemDifference(row));
    }
  };
  await lookAt([...before.items.keys()]);
  let last = after;
  for (let pages = 0; pages < pagesMax; pages += 1) {
    const itemIds = await store.selectNextItems(tx, last, PAGE);
    await lookAt(itemIds);
    last = itemIds.length < PAGE ? "" : (itemIds.at(-1) ?? "");
    if (last === "") break;
  }
  return { wrong, last };
}

async function sumLedger(tx: Reads): Promise<Difference[]> {
  const sums = new Map<string, bigint>();
  for (let partition = 0; partition < store.LEDGER_PARTITIONS; partition += 1) {
    for (const { currency, sum } of await store.selectPartitionSums(tx, partition)) {
      sums.set(currency, (sums.get(currency) ?? 0n) + BigInt(sum));
    }
  }
  return [...sums]
    .filter(([, sum]) => sum !== 0n)
    .map(([currency, sum]) => difference("ledger", currency, "0", String(sum)));
}

function itemDifference({ item_id, said, owner_id, op_id }: store.WrongItem): Difference {
  const expected = op_id === null ? "an operation that was committed" : (said ?? "nobody's");
  return difference("item", item_id, expected, owner_id ?? "nobody's");
}

function difference(
  kind: Difference["kind"],
  subject: string,
  expected: string,
  actual: string,
): Difference {
  return { kind, subject, expected, actual };
}
