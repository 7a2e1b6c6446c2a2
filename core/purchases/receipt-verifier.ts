/** What a store's receipts are checked by. Each store has one; more kinds of stores are more of these. */
import type { ReceiptClaims, StoreName } from "../../shared/protocol/purchases.ts";

export interface ReceiptVerifier {
  readonly store: StoreName;
  /**
   * What the receipt says, which is certain then: the store took the payment, in that transaction.
   * @throws {MeridianError} `receipt_refused` for good; `unavailable` when the store can't be asked now
   */
  verify(receipt: string): Promise<ReceiptClaims>;
}
