/** Rows of operations, wallets, ledger and items: one function a statement. */
import type { Epoch } from "../../shared/epoch.ts";
import type { NodeId, PlayerId, RoomId } from "../../shared/ids.ts";
import type { Refusal, ValueOp } from "../../shared/protocol/value.ts";
import type { Committed, Delta, Touched, WalletRow } from "../../shared/value/value-step.ts";
import type { Sql, Tx } from "../db/database.ts";

/** The games' side of the ledger. */
const NOBODY = "00000000-0000-0000-0000-000000000000" as PlayerId;

export interface OpRow {
  readonly body: unknown;
  readonly refusal: Refusal | null;
  /** Null for one without a room. */
  readonly op_seq: number | null;
}

/** A room in the hands of one owner. */
export interface Owner {
  readonly roomId: RoomId;
  readonly nodeId: NodeId;
  readonly roomEpoch: Epoch;
}

/**
 * The place of the room's next operation, above all that the room heard of; its row stays with this
 * transaction. Without it, and with the room as it was, when the owner is not (any more) the one who has the
 * room, or expects another core's term.
 */
export async function takeOpSeq(
  tx: Tx,
  owner: Owner,
  known: { readonly heardOf?: number | undefined; readonly expected?: number | undefined },
): Promise<{ readonly coreTerm: number; readonly opSeq: number | undefined }> {
  const { heardOf = 0, expected = null } = known;
  const [row] = await tx.rows<{ term: number; op_seq: number | null }>(
    `with taken as (
       update rooms set op_seq = greatest(op_seq, $5) + 1
       where room_id = $1 and node_id = $2 and epoch_term = $3 and epoch_n = $4 and ended_at is null
         and coalesce($6::bigint = (select term from core_term), true)
       returning op_seq)
     select term, op_seq from core_term left join taken on true`,
    [owner.roomId, owner.nodeId, ...owner.roomEpoch, heardOf, expected],
  );
  if (!row) throw new Error("the database holds no core term");
  return { coreTerm: row.term, opSeq: row.op_seq ?? undefined };
}

/** The room goes on after that place, and its row stays with this transaction; there may be none. */
export async function raisePlace(tx: Tx, roomId: RoomId, opSeq: number): Promise<void> {
  await tx.run("update rooms set op_seq = greatest(op_seq, $2) where room_id = $1", [
    roomId,
    opSeq,
  ]);
}

export async function isPlaceTaken(tx: Tx, roomId: RoomId, opSeq: number): Promise<boolean> {
  const rows = await tx.rows("select 1 from ops where room_id = $1 and op_seq = $2", [
    roomId,
    opSeq,
  ]);
  return rows.length > 0;
}

/** The next place, whoever has the room; null when there is no such room any more. */
export async function takeNextPlace(tx: Tx, roomId: RoomId): Promise<number | null> {
  const rows = await tx.rows<{ op_seq: number }>(
    "update rooms set op_seq = op_seq + 1 where room_id = $1 returning op_seq",
    [roomId],
  );
  return rows[0]?.op_seq ?? null;
}

export async function selectOp(sql: Sql, id: string): Promise<OpRow | undefined> {
  const rows = await sql.rows<OpRow>("select body, refusal, op_seq from ops where op_id = $1", [
    id,
  ]);
  return rows[0];
}

export interface RoomOpRow {
  readonly op_seq: number;
  readonly op_id: string;
  readonly body: unknown;
}

/** The room's last place, its row kept from changing; undefined when the owner has not got the room. */
export async function selectOpSeq(tx: Tx, owner: Owner): Promise<number | undefined> {
  const rows = await tx.rows<{ op_seq: number }>(
    `select op_seq from rooms
     where room_id = $1 and node_id = $2 and epoch_term = $3 and epoch_n = $4 and ended_at is null
     for share`,
    [owner.roomId, owner.nodeId, ...owner.roomEpoch],
  );
  return rows[0]?.op_seq;
}

/** Committed ones, in their order. */
export function selectRoomOps(
  sql: Sql,
  roomId: RoomId,
  { after, max }: { readonly after: number; readonly max: number },
): Promise<(RoomOpRow & Record<string, unknown>)[]> {
  return sql.rows(
    `select op_seq, op_id, body from ops
     where room_id = $1 and op_seq > $2 and refusal is null order by op_seq limit $3`,
    [roomId, after, max],
  );
}

/** False when that id was decided before. One that is being decided at this moment is waited for. */
export async function insertOp(
  tx: Tx,
  op: ValueOp,
  decided: {
    /** Null for one without a room. */
    readonly roomId: RoomId | null;
    readonly opSeq: number | null;
    readonly refusal: Refusal | undefined;
    readonly at: Date;
  },
): Promise<boolean> {
  const inserted = await tx.run(
    `insert into ops (op_id, body, refusal, room_id, op_seq, decided_at)
     values ($1, $2, $3, $4, $5, $6) on conflict (op_id) do nothing`,
    [
      op.id,
      JSON.stringify(op.changes),
      decided.refusal ?? null,
      decided.roomId,
      decided.opSeq,
      decided.at,
    ],
  );
  return inserted === 1;
}

/** `bigint`s of an array come as text. */
interface LockedRow {
  readonly players: PlayerId[];
  readonly balances: (string | null)[];
  readonly items: string[];
  readonly item_kinds: string[];
  readonly item_owners: PlayerId[];
  readonly [column: string]: unknown;
}

export interface Wanted {
  readonly players: readonly PlayerId[];
  readonly wallets: readonly { readonly playerId: PlayerId; readonly currency: string }[];
  readonly items: readonly string[];
}

/**
 * Those that there are, locked in one order by all, so that no two operations wait for each other. The
 * lock on a player keeps the account from being deleted meanwhile, and nothing else.
 */
export async function lockTouched(tx: Tx, { players, wallets, items }: Wanted): Promise<Touched> {
  const inOrder = [...wallets].sort(byOwner);
  const [row] = await tx.rows<LockedRow>("select * from lock_touched($1, $2, $3, $4)", [
    [...players].sort(),
    inOrder.map(({ playerId }) => playerId),
    inOrder.map(({ currency }) => currency),
    [...items].sort(),
  ]);
  if (!row) throw new Error("a function gave no row");
  return {
    players: new Set(row.players),
    wallets: inOrder.flatMap((wallet, index) => {
      const balance = row.balances[index] ?? null;
      return balance === null ? [] : [{ ...wallet, balance: Number(balance) }];
    }),
    items: row.items.map((itemId, index) => ({
      itemId,
      kind: row.item_kinds[index] ?? "",
      ownerId: row.item_owners[index] ?? NOBODY,
    })),
  };
}

/**
 * Books the amounts; answers the wallets that they changed, as they are now. Amounts are differences:
 * two operations that make the same wallet at once both count.
 */
export async function book(
  tx: Tx,
  opId: string,
  committed: Committed,
  at: Date,
): Promise<WalletRow[]> {
  const wallets = [...committed.wallets].sort(byOwner);
  const games = [...committed.games].map(
    ([currency, amount]): Delta => ({ playerId: NOBODY, currency, amount }),
  );
  const entries = [...wallets, ...games];
  const [row] = await tx.rows<{ balances: string[] }>(
    "select book($1, $2, $3, $4, $5) as balances",
    [
      opId,
      at,
      entries.map(({ playerId }) => playerId),
      entries.map(({ currency }) => currency),
      entries.map(({ amount }) => amount),
    ],
  );
  return wallets.map(({ playerId, currency }, index) => ({
    playerId,
    currency,
    balance: Number(row?.balances[index]),
  }));
}

/** False when an item of such an id was made at this moment. */
export async function writeItems(tx: Tx, opId: string, committed: Committed): Promise<boolean> {
  const { itemsMade, itemsMoved, itemsGone } = committed;
  if (itemsGone.length > 0) {
    await tx.run("delete from items where item_id = any($1::text[])", [itemsGone]);
  }
  if (itemsMoved.length > 0) {
    await tx.run(
      `update items i set owner_id = d.owner_id, changed_by = $3
       from unnest($1::text[], $2::uuid[]) as d (item_id, owner_id) where i.item_id = d.item_id`,
      [itemsMoved.map(({ itemId }) => itemId), itemsMoved.map(({ ownerId }) => ownerId), opId],
    );
  }
  if (itemsMade.length === 0) return true;
  const made = await tx.run(
    `insert into items (item_id, kind, owner_id, changed_by)
     select item_id, kind, owner_id, $4
     from unnest($1::text[], $2::text[], $3::uuid[]) as d (item_id, kind, owner_id)
     order by item_id on conflict do nothing`,
    [
      itemsMade.map(({ itemId }) => itemId),
      itemsMade.map(({ kind }) => kind),
      itemsMade.map(({ ownerId }) => ownerId),
      opId,
    ],
  );
  return made === itemsMade.length;
}

export function selectWallets(
  sql: Sql,
  playerIds: readonly PlayerId[],
): Promise<(WalletRow & Record<string, unknown>)[]> {
  return sql.rows(
    `select player_id as "playerId", currency, balance from wallets
     where player_id = any($1::uuid[]) order by player_id, currency`,
    [playerIds],
  );
}

/** Newest last; at most so many. */
export function selectItemsOf(
  sql: Sql,
  playerId: PlayerId,
  max: number,
): Promise<{ itemId: string; kind: string }[]> {
  return sql.rows(
    `select item_id as "itemId", kind from items where owner_id = $1 order by item_id limit $2`,
    [playerId, max],
  );
}

function byOwner(a: Omit<WalletRow, "balance">, b: Omit<WalletRow, "balance">): number {
  const [one, other] = [`${a.playerId} ${a.currency}`, `${b.playerId} ${b.currency}`];
  return one < other ? -1 : one > other ? 1 : 0;
}
