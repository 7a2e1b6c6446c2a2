/**
 * Operations on what is worth money: wallets and items. A room sends them to the core, which decides.
 *
 * An operation's id names its cause in the room (`room/cause/player`), never chance or time: sent again,
 * also by a room that was restored to a moment before, it changes nothing and gets the first answer.
 */
import { z } from "zod";
import { Epoch } from "../epoch.ts";
import { NodeId, PlayerId, RoomId } from "../ids.ts";

const CHANGES_MAX = 64;
const AMOUNT_MAX = 1_000_000_000_000;

/** Such as `Xq3…/round-7/0192…`: printable, without blanks. */
export const OpId = z
  .string()
  .regex(/^[\w.:/-]{8,220}$/)
  .brand<"OpId">();
export type OpId = z.infer<typeof OpId>;

/** What a room calls the reason of an operation; unique in the room's whole life. */
export const Cause = z.string().regex(/^[\w.:-]{1,100}$/, "a cause: letters, digits, _ . : -");
export const Currency = z.string().regex(/^[a-z][a-z0-9_-]{0,31}$/, "a currency: a-z, 0-9, _ -");
export const ItemId = z.string().regex(/^[\w.:/-]{1,128}$/);
export const ItemKind = z.string().regex(/^[a-z][a-z0-9_-]{0,63}$/, "a kind: a-z, 0-9, _ -");
/** Whole units. */
export const Amount = z.int().positive().max(AMOUNT_MAX);

export const ValueChange = z.discriminatedUnion("kind", [
  /** Out of nothing: the games' side of the ledger pays. */
  z.object({ kind: z.literal("credit"), playerId: PlayerId, currency: Currency, amount: Amount }),
  z.object({ kind: z.literal("debit"), playerId: PlayerId, currency: Currency, amount: Amount }),
  z.object({
    kind: z.literal("pay"),
    from: PlayerId,
    to: PlayerId,
    currency: Currency,
    amount: Amount,
  }),
  z.object({
    kind: z.literal("grantItem"),
    itemId: ItemId,
    itemKind: ItemKind,
    playerId: PlayerId,
  }),
  z.object({ kind: z.literal("giveItem"), itemId: ItemId, from: PlayerId, to: PlayerId }),
  z.object({ kind: z.literal("takeItem"), itemId: ItemId, playerId: PlayerId }),
]);
export type ValueChange = z.infer<typeof ValueChange>;

/** All of its changes, or none. */
export const ValueOp = z.object({
  id: OpId,
  changes: z.array(ValueChange).min(1).max(CHANGES_MAX),
});
export type ValueOp = z.infer<typeof ValueOp>;

/** A place among a room's operations, from 1; 0 is before the first. The next one is a safe number still. */
export const OpSeq = z.int().nonnegative().max(1_000_000_000_000_000);

/** `POST /link/value`: only by the node that owns the room, in the epoch that it was granted. */
export const ValueRequest = z.object({
  nodeId: NodeId,
  roomId: RoomId,
  roomEpoch: Epoch,
  /** The highest place that the room heard of: a core that was restored goes on after it. */
  opSeq: OpSeq.optional(),
  /** Of the core that the node knows; a core of a later term first wants what the node kept. */
  coreTerm: z.int().nonnegative().optional(),
  op: ValueOp,
});
export type ValueRequest = z.infer<typeof ValueRequest>;

export const Refusal = z.enum([
  "insufficient_funds",
  "not_the_owner",
  "item_exists",
  "no_such_item",
  "no_such_player",
  "too_much",
]);
export type Refusal = z.infer<typeof Refusal>;

/** A wallet after the operation. */
export const WalletBalance = z.object({
  playerId: PlayerId,
  currency: Currency,
  balance: z.int().nonnegative(),
});
export type WalletBalance = z.infer<typeof WalletBalance>;

export const ValueAnswer = z.discriminatedUnion("outcome", [
  z.object({
    outcome: z.literal("committed"),
    /** Its place among the room's operations. */
    opSeq: z.int().positive(),
    /** Those that it changed, as they are now. */
    wallets: z.array(WalletBalance),
  }),
  /** For good: under this id nothing will ever happen. */
  z.object({ outcome: z.literal("refused"), opSeq: z.int().positive(), refusal: Refusal }),
]);
export type ValueAnswer = z.infer<typeof ValueAnswer>;

/** An operation of a room that was committed, as the room's `onValue` gets it. */
export const RoomOp = z.object({
  opSeq: z.int().positive(),
  id: OpId,
  changes: z.array(ValueChange),
});
export type RoomOp = z.infer<typeof RoomOp>;

/** Most operations of one answer. They have 17 KB at most, and an answer of the link 4 MB. */
export const ROOM_OPS_MAX = 200;

/** A room's committed operations after a place, in their order; what was refused is left out. */
export const RoomOps = z.object({
  ops: z.array(RoomOp).max(ROOM_OPS_MAX),
  /** All up to this place are among them. */
  upTo: OpSeq,
  /** Whether there are later ones. */
  more: z.boolean(),
});
export type RoomOps = z.infer<typeof RoomOps>;

/** `POST /link/room-ops`: by the room's owner, after this place. */
export const RoomOpsRequest = ValueRequest.pick({
  nodeId: true,
  roomId: true,
  roomEpoch: true,
}).extend({ opSeq: OpSeq });
export type RoomOpsRequest = z.infer<typeof RoomOpsRequest>;

export const AGAIN_OPS_MAX = 64;

/**
 * `POST /link/value-again`: what the core committed in an earlier term, in the order of the answers. A core
 * that was restored to before carries it out again, whoever owns the room now.
 */
export const ValueAgainRequest = z.object({
  nodeId: NodeId,
  coreTerm: z.int().positive(),
  ops: z
    .array(z.object({ roomId: RoomId, opSeq: OpSeq.positive(), op: ValueOp }))
    .min(1)
    .max(AGAIN_OPS_MAX),
});
export type ValueAgainRequest = z.infer<typeof ValueAgainRequest>;

export const ValueAgainAnswer = z.object({
  /** Of each: it was there, it was carried out again, or it can't be now, and nothing was recorded. */
  outcomes: z.array(z.enum(["known", "committed", "refused"])),
});
export type ValueAgainAnswer = z.infer<typeof ValueAgainAnswer>;

/** `GET /v1/me/possessions`. */
export const Possessions = z.object({
  wallets: z.array(WalletBalance.omit({ playerId: true })),
  items: z.array(z.object({ itemId: ItemId, kind: ItemKind })),
});
export type Possessions = z.infer<typeof Possessions>;
