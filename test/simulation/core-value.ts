/** The core: who owns a room, and what its operations on wallets and items do. As `ValueOps` does it. */
import { EPOCH_NONE, type Epoch, nextEpoch } from "../../shared/epoch.ts";
import type { NodeId, RoomId } from "../../shared/ids.ts";
import type { ValueAnswer, ValueRequest } from "../../shared/protocol/value.ts";
import { type Committed, touchedBy } from "../../shared/value/value-step.ts";
import type { LedgerRow } from "./core-database.ts";
import type { CoreModel, Work } from "./core-model.ts";

const GAMES = "games";

export type ValueReply = ValueAnswer | { readonly outcome: "fenced" };

/** Refused unless the room has no owner, or one that is gone. Claimed again by its owner: the same epoch. */
export function claimRoom(
  core: CoreModel,
  roomId: RoomId,
  nodeId: NodeId,
  reply: (epoch: Epoch | undefined) => void,
): void {
  const { database, world } = core;
  const { rules } = world.parts;
  core.transaction<{ epoch: Epoch | undefined; claimedAt?: number }>(
    [roomId],
    () => {
      const row = database.rooms.get(roomId);
      if (row?.nodeId === nodeId) return { answer: row };
      const mayLive = row && !database.fenced.get(row.nodeId);
      if (mayLive) return { answer: { epoch: undefined } };
      const epoch = nextEpoch(row?.epoch ?? EPOCH_NONE, core.term);
      const write = (position: number) => {
        world.truth.roomGranted(roomId, nodeId, epoch);
        database.rooms.set(roomId, { nodeId, epoch, opSeq: row?.opSeq ?? 0, claimedAt: position });
      };
      return { write, answer: { epoch } };
    },
    ({ epoch, claimedAt }, position) => {
      const told = () => {
        if (epoch) world.truth.roomClaimed(roomId, epoch);
        reply(epoch);
      };
      if (epoch && rules.claimsWaitForFlush) database.whenFlushed(claimedAt ?? position, told);
      else told();
    },
  );
}

export function applyValue(
  core: CoreModel,
  request: ValueRequest,
  reply: (answer: ValueReply) => void,
): void {
  const { database, world } = core;
  const { rules } = world.parts;
  const { op, roomId } = request;
  const wanted = touchedBy(op.changes);
  const keys = [roomId, op.id, ...wanted.wallets.map(walletKey), ...wanted.items.map(itemKey)];
  core.transaction<{ told: ValueReply; committedAt?: number }>(
    rules.valueLocks ? [...new Set(keys)] : [],
    () => decideOp(core, request),
    ({ told, committedAt }, position) => {
      const at = committedAt ?? position;
      const answer = () => {
        if (told.outcome !== "fenced") world.truth.valueAnswered(op, told, at);
        reply(told);
      };
      if (rules.valueWaitsForFlush) database.whenFlushed(at, answer);
      else answer();
    },
  );
}

function decideOp(
  core: CoreModel,
  request: ValueRequest,
): Work<{ told: ValueReply; committedAt?: number }> {
  const { database, world } = core;
  const { rules } = world.parts;
  const { op, roomId, nodeId, roomEpoch } = request;
  const room = database.rooms.get(roomId);
  const owns = room?.nodeId === nodeId && String(room.epoch) === String(roomEpoch);
  if (!room || (!owns && rules.valueChecksOwner))
    return { answer: { told: { outcome: "fenced" } } };
  const before = database.ops.get(op.id);
  if (before && rules.valueOnce) {
    return { answer: { told: before.answer, committedAt: before.committedAt } };
  }
  const { players, wallets, items } = touchedBy(op.changes);
  const decision = world.parts.decide(op.changes, {
    players: new Set(players),
    wallets: wallets.flatMap((one) => database.wallets.get(walletKey(one)) ?? []),
    items: items.flatMap((itemId) => database.items.get(itemKey(itemId)) ?? []),
  });
  const opSeq = room.opSeq + 1;
  const told: ValueAnswer = decision.refusal
    ? { outcome: "refused", opSeq, refusal: decision.refusal }
    : { outcome: "committed", opSeq, wallets: [] };
  const write = (position: number) => {
    const now = database.rooms.get(roomId);
    if (now) database.rooms.set(roomId, { ...now, opSeq });
    database.ops.set(op.id, {
      body: JSON.stringify(op.changes),
      answer: told,
      committedAt: position,
    });
    if (!decision.refusal) book(core, op.id, decision.committed);
    world.truth.valueCommitted(request, told);
  };
  return { write, answer: { told } };
}

function book({ database, world }: CoreModel, opId: string, committed: Committed): void {
  const entries: LedgerRow[] = [...committed.wallets];
  for (const [currency, amount] of committed.games) {
    entries.push({ playerId: GAMES, currency, amount: amount });
  }
  for (const { playerId, currency, amount } of committed.wallets) {
    const key = walletKey({ playerId, currency });
    const balance = (database.wallets.get(key)?.balance ?? 0) + amount;
    database.wallets.set(key, { playerId, currency, balance });
  }
  for (const item of [...committed.itemsMade, ...committed.itemsMoved]) {
    database.items.set(itemKey(item.itemId), item);
  }
  for (const itemId of committed.itemsGone) database.items.delete(itemKey(itemId));
  const former = database.ledger.get(opId) ?? [];
  database.ledger.set(opId, [...former, ...entries]);
  world.truth.booked(opId, entries, former.length > 0);
}

function walletKey({ playerId, currency }: { playerId: string; currency: string }): string {
  return `${playerId} ${currency}`;
}

function itemKey(itemId: string): string {
  return `item ${itemId}`;
}
