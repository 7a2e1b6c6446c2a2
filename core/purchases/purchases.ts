/**
 * What players bought, granted once: a store's transaction is one operation, `purchase/store/transaction`, in
 * one transaction with its row. Whoever shows its receipt again, at once or later, gets what was granted the
 * first time; for another player it is a conflict.
 *
 * A grant that can't be made now (the product is not in the catalogue yet, the wallet is full) records
 * nothing: the player has paid, and shows the receipt again.
 */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { isFailure, MeridianError } from "../../shared/errors.ts";
import type { PlayerId } from "../../shared/ids.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import {
  Granted,
  type PurchaseAnswer,
  type PurchaseRequest,
  type ReceiptClaims,
} from "../../shared/protocol/purchases.ts";
import { type ValueChange, ValueOp } from "../../shared/protocol/value.ts";
import { decide, touchedBy } from "../../shared/value/value-step.ts";
import { goneAccount } from "../accounts/accounts.ts";
import type { Database, Tx } from "../db/database.ts";
import { LogPace } from "../http/log-pace.ts";
import { insertOp, lockTouched, selectWallets } from "../value/value-store.ts";
import { writeCommitted } from "../value/write-committed.ts";
import type { Catalogue, Gain } from "./catalogue.ts";
import type { PurchaseLimit } from "./purchase-limit.ts";
import * as store from "./purchase-store.ts";
import type { ReceiptVerifier } from "./receipt-verifier.ts";

const UNKNOWN_PRODUCT_RETRY_MS = 60_000;

export interface PurchasesDeps {
  readonly database: Database;
  readonly verifiers: readonly ReceiptVerifier[];
  readonly catalogue: Catalogue;
  readonly limit: PurchaseLimit;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class Purchases {
  readonly #deps: PurchasesDeps;
  readonly #verifiers: ReadonlyMap<string, ReceiptVerifier>;
  readonly #outcomes: Counter<"store" | "outcome">;
  readonly #pace = new LogPace();

  constructor(deps: PurchasesDeps) {
    this.#deps = deps;
    this.#verifiers = new Map(deps.verifiers.map((verifier) => [verifier.store, verifier]));
    this.#outcomes = new Counter({
      name: "meridian_purchases_total",
      help: "Receipts that players showed: granted, repeated, or why not.",
      labelNames: ["store", "outcome"],
      registers: [deps.metrics],
    });
  }

  /**
   * @throws {MeridianError} `too_many_requests`, `not_found` for a store that is not known here,
   *   `receipt_refused`, `conflict` for another player's, `value_refused`, `unavailable`; `unauthorized`
   *   when the account is gone
   */
  async grant(playerId: PlayerId, request: PurchaseRequest): Promise<PurchaseAnswer> {
    this.#deps.limit.take(playerId);
    const verifier = this.#verifiers.get(request.store);
    if (!verifier) {
      throw new MeridianError("not_found", {
        message: `No store "${request.store}" is known here.`,
      });
    }
    const note = (outcome: string) => this.#outcomes.inc({ store: verifier.store, outcome });
    try {
      const answer = await this.#grant(playerId, verifier, request.receipt);
      note(answer.alreadyGranted ? "repeated" : "granted");
      return answer;
    } catch (error) {
      note(isFailure(error) ? error.kind : "internal");
      throw error;
    }
  }

  async #grant(
    playerId: PlayerId,
    verifier: ReceiptVerifier,
    text: string,
  ): Promise<PurchaseAnswer> {
    const { database } = this.#deps;
    const receipt = await verifier.verify(text);
    if (receipt.playerId !== undefined && receipt.playerId !== playerId) throw anothersReceipt();
    const { transactionId } = receipt;
    const before = await store.selectPurchase(database, verifier.store, transactionId);
    const made = before ? false : await this.#make(playerId, verifier.store, receipt);
    // Also when another call made it at this moment, which this one has waited for.
    const purchase = await store.selectPurchase(database, verifier.store, transactionId);
    if (!purchase) throw new MeridianError("unavailable", { retryAfterMs: 0 });
    if (purchase.player_id !== playerId) throw anothersReceipt();
    const wallets = await selectWallets(database, [playerId]);
    return {
      transactionId,
      productId: purchase.product_id,
      granted: Granted.array().parse(purchase.body),
      alreadyGranted: !made,
      wallets: wallets.map(({ currency, balance }) => ({ currency, balance })),
    };
  }

  /** False when it was granted before. */
  async #make(playerId: PlayerId, storeName: string, receipt: ReceiptClaims): Promise<boolean> {
    const { database, clock, catalogue } = this.#deps;
    const { transactionId, productId } = receipt;
    const gains = catalogue.get(productId);
    if (!gains) throw this.#unknownProduct(storeName, receipt);
    const id = `purchase/${storeName}/${transactionId}`;
    const op = ValueOp.parse({ id, changes: changesOf(gains, id, playerId) });
    const at = new Date(clock.nowMs());
    const purchase = { store: storeName, transactionId, productId, playerId, opId: op.id, at };
    return await database.transaction(async (tx) => {
      if (!(await store.insertPurchase(tx, purchase))) return false;
      await carryOut(tx, op, at);
      return true;
    });
  }

  #unknownProduct(storeName: string, { transactionId, productId }: ReceiptClaims): MeridianError {
    const { clock, log } = this.#deps;
    const held = this.#pace.permit(clock.monotonicMs());
    if (held !== undefined) {
      log.error(
        { store: storeName, transactionId, productId, held, runbook: "core-purchases" },
        "a product that was paid for is not in the catalogue",
      );
    }
    return new MeridianError("unavailable", {
      message: `The product "${productId}" is not known here yet.`,
      retryAfterMs: UNKNOWN_PRODUCT_RETRY_MS,
    });
  }
}

async function carryOut(tx: Tx, op: ValueOp, at: Date): Promise<void> {
  const decision = decide(op.changes, await lockTouched(tx, touchedBy(op.changes)));
  if (decision.refusal === "no_such_player") throw goneAccount();
  if (decision.refusal) {
    const message = `It can't be granted now: ${decision.refusal}.`;
    throw new MeridianError("value_refused", { message });
  }
  const decided = { roomId: null, opSeq: null, refusal: undefined, at };
  // Somebody used the id of a purchase for another operation.
  if (!(await insertOp(tx, op, decided))) throw new MeridianError("conflict");
  await writeCommitted(tx, op.id, decision.committed, at);
}

function changesOf(gains: readonly Gain[], opId: string, playerId: PlayerId): ValueChange[] {
  return gains.map((gain, index) => {
    if (gain.kind === "credit") return { ...gain, playerId };
    return { ...gain, itemId: `${opId}/${index}`, playerId };
  });
}

function anothersReceipt(): MeridianError {
  return new MeridianError("conflict", { message: "This receipt is another player's." });
}
