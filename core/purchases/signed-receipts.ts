/**
 * Receipts that a store signs as a JWT: `transactionId`, `productId`, and `playerId` where it knows. The
 * store decides keys, audience, issuer and algorithms; the receipt's header only picks among them. A receipt
 * without `exp` is good for ever: it grants once.
 */
import { jwtVerify } from "jose";
import type { Clock } from "../../shared/clock.ts";
import { isFailure, MeridianError } from "../../shared/errors.ts";
import { ReceiptClaims, type StoreName } from "../../shared/protocol/purchases.ts";
import { JwksSource, type JwksSourceDeps } from "../accounts/jwks-source.ts";
import type { ReceiptVerifier } from "./receipt-verifier.ts";
import type { TrustedStore } from "./trusted-stores.ts";

/** Clocks of stores may be wrong by this, and no more. */
const CLOCK_SKEW_S = 30;

export class SignedReceipts implements ReceiptVerifier {
  readonly #trusted: TrustedStore;
  readonly #source: JwksSource;
  readonly #clock: Clock;

  constructor(trusted: TrustedStore, deps: JwksSourceDeps) {
    this.#trusted = trusted;
    this.#source = new JwksSource(trusted, deps);
    this.#clock = deps.clock;
  }

  get store(): StoreName {
    return this.#trusted.store;
  }

  async verify(receipt: string): Promise<ReceiptClaims> {
    const { issuer, audience, algorithms } = this.#trusted;
    try {
      const { payload } = await jwtVerify(receipt, (header) => this.#source.key(header), {
        issuer,
        audience,
        algorithms: [...algorithms],
        currentDate: new Date(this.#clock.nowMs()),
        clockTolerance: CLOCK_SKEW_S,
      });
      return ReceiptClaims.parse(payload);
    } catch (cause) {
      if (isFailure(cause, "unavailable")) throw cause;
      throw new MeridianError("receipt_refused", { cause });
    }
  }
}
