/** How fast one player may show receipts: each costs the check of a signature. */
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { PlayerId } from "../../shared/ids.ts";
import { BucketTable, type Rate, waitMs } from "../accounts/bucket.ts";

const BUCKETS_MAX = 100_000;

export class PurchaseLimit {
  readonly #rate: Rate;
  readonly #clock: Clock;
  readonly #buckets = new BucketTable(BUCKETS_MAX);

  constructor(rate: Rate, clock: Clock) {
    this.#rate = rate;
    this.#clock = clock;
  }

  /** @throws {MeridianError} `too_many_requests`, with when to come back */
  take(playerId: PlayerId): void {
    const bucket = this.#buckets.at(playerId, this.#rate, this.#clock.monotonicMs());
    const retryAfterMs = waitMs(bucket, this.#rate);
    if (retryAfterMs > 0) throw new MeridianError("too_many_requests", { retryAfterMs });
    this.#buckets.set(playerId, { ...bucket, tokens: bucket.tokens - 1 });
  }
}
