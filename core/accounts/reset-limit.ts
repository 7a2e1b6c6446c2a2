/**
 * How many reset mails may be asked for. What limits an address is silent: a mail with a good link has
 * just been sent there, and a former link stays good, so nobody can keep an owner from the reset by
 * asking for it in their name. A prefix and everybody get `too_many_requests`. A prefix may be a carrier's,
 * so past its limit a device that logged in before may ask still, for its own account only.
 */
import { MeridianError } from "../../shared/errors.ts";
import { prefixOf } from "./address-prefix.ts";
import { BucketTable, type Rate, waitMs } from "./bucket.ts";

const BUCKETS_MAX = 50_000;
const PER_ADDRESS: Rate = { perSecond: 1 / 1_200, burst: 3 };
const PER_PREFIX: Rate = { perSecond: 1 / 5, burst: 30 };
const EVERYWHERE: Rate = { perSecond: 5, burst: 200 };

export interface ResetAsked {
  readonly email: string;
  /** Of the network. */
  readonly address: string;
  readonly owner: string | undefined;
}

export class ResetLimit {
  readonly #table = new BucketTable(BUCKETS_MAX);

  /**
   * @param owner whose device asks, if it proves that
   * @returns whether a mail may go to that address now, and whosever the account may be
   * @throws {MeridianError} `too_many_requests`
   */
  take({ email, address, owner }: ResetAsked, nowMs: number): "anybody's" | "the owner's" | "none" {
    const prefixKey = `p ${prefixOf(address)}`;
    const prefix = this.#table.at(prefixKey, PER_PREFIX, nowMs);
    const everywhere = this.#table.at("everywhere", EVERYWHERE, nowMs);
    const retryAfterMs = Math.max(waitMs(prefix, PER_PREFIX), waitMs(everywhere, EVERYWHERE));
    if (retryAfterMs > 0) {
      if (owner && this.#take(`d ${owner}`, nowMs)) return "the owner's";
      throw new MeridianError("too_many_requests", { retryAfterMs });
    }
    this.#table.set(prefixKey, { ...prefix, tokens: prefix.tokens - 1 });
    this.#table.set("everywhere", { ...everywhere, tokens: everywhere.tokens - 1 });
    return this.#take(`e ${email}`, nowMs) ? "anybody's" : "none";
  }

  #take(key: string, nowMs: number): boolean {
    const bucket = this.#table.at(key, PER_ADDRESS, nowMs);
    if (bucket.tokens < 1) return false;
    this.#table.set(key, { ...bucket, tokens: bucket.tokens - 1 });
    return true;
  }
}
