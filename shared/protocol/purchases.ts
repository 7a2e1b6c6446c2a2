/** `POST /v1/me/purchases`: what a player bought in a store, shown by the store's receipt. */
import { z } from "zod";
import { PlayerId } from "../ids.ts";
import { Amount, Currency, ItemId, ItemKind, WalletBalance } from "./value.ts";

export const StoreName = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, "a slug: a-z, 0-9 and '-'");
export type StoreName = z.infer<typeof StoreName>;

/** A store's own id of a payment; never two of them under one. */
export const TransactionId = z.string().regex(/^[\w.:-]{1,64}$/);
export const ProductId = z.string().regex(/^[\w.:-]{1,64}$/);

export const PurchaseRequest = z.object({
  store: StoreName,
  receipt: z.string().min(1).max(16_384),
});
export type PurchaseRequest = z.infer<typeof PurchaseRequest>;

export const Granted = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("credit"), currency: Currency, amount: Amount }),
  z.object({ kind: z.literal("grantItem"), itemId: ItemId, itemKind: ItemKind }),
]);
export type Granted = z.infer<typeof Granted>;

export const PurchaseAnswer = z.object({
  transactionId: TransactionId,
  productId: ProductId,
  /** What the player got by it, now or the first time. */
  granted: z.array(Granted),
  /** The receipt was shown before: nothing was granted once more. */
  alreadyGranted: z.boolean(),
  /** All of the player's, as they are now. */
  wallets: z.array(WalletBalance.omit({ playerId: true })),
});
export type PurchaseAnswer = z.infer<typeof PurchaseAnswer>;

/** What a receipt says, once its signature was found to be the store's. */
export const ReceiptClaims = z.object({
  transactionId: TransactionId,
  productId: ProductId,
  /** Whose it is, where the store was told. */
  playerId: PlayerId.optional(),
});
export type ReceiptClaims = z.infer<typeof ReceiptClaims>;
