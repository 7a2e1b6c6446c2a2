/**
 * How fast guests may be made: a token bucket for each address prefix, and one for everybody.
 *
 * The prefix (IPv4 /24, IPv6 /48) gets a generous bucket: a whole town may come from one address of a
 * carrier. What bounds an attacker who has many prefixes is the common bucket. At most `PREFIXES_MAX`
 * buckets are kept.
 */
import { MeridianError } from "../../shared/errors.ts";
import { prefixOf } from "./address-prefix.ts";
import { type Bucket, BucketTable, type Rate, refill, waitMs } from "./bucket.ts";

const PREFIXES_MAX = 10_000;

export class GuestLimit {
  readonly #perPrefix: Rate;
  readonly #overall: Rate;
  readonly #buckets = new BucketTable(PREFIXES_MAX);
  #common: Bucket;

  constructor(perPrefix: Rate, overall: Rate) {
    this.#perPrefix = perPrefix;
    this.#overall = overall;
    this.#common = { tokens: overall.burst, atMs: 0 };
  }

  /** @throws {MeridianError} `too_many_requests`, with when to come back */
  take(address: string, nowMs: number): void {
    const prefix = prefixOf(address);
    const own = this.#buckets.at(prefix, this.#perPrefix, nowMs);
    const common = refill(this.#common, this.#overall, nowMs);
    const retryAfterMs = Math.max(waitMs(own, this.#perPrefix), waitMs(common, this.#overall));
    if (retryAfterMs > 0) throw new MeridianError("too_many_requests", { retryAfterMs });
    this.#common = { ...common, tokens: common.tokens - 1 };
    this.#buckets.set(prefix, { ...own, tokens: own.tokens - 1 });
  }

  get prefixes(): number {
    return this.#buckets.size;
  }
}
