/**
 * How many reset mails may be asked for. What limits an address is silent: a mail with a good link has
 * just been sent there, and a former link stays good, so nobody can keep an owner from the reset by
 * asking for it in their name. A prefix and everybody get `too_many_requests`.
 */
import { MeridianError } from "../../shared/errors.ts";
import { prefixOf } from "./address-prefix.ts";
import { BucketTable, type Rate, waitMs } from "./bucket.ts";

const BUCKETS_MAX = 50_000;
const PER_ADDRESS: Rate = { perSecond: 1 / 1_200, burst: 3 };
const PER_PREFIX: Rate = { perSecond: 1 / 5, burst: 30 };
const EVERYWHERE: Rate = { perSecond: 5, burst: 200 };

export class ResetLimit {
  readonly #table = new BucketTable(BUCKETS_MAX);

  /**
   * @returns whether a mail may go to that address now
   * @throws {MeridianError} `too_many_requests`
   */
  take(email: string, address: string, nowMs: number): boolean {
    const prefixKey = `p ${prefixOf(address)}`;
    const prefix = this.#table.at(prefixKey, PER_PREFIX, nowMs);
    const everywhere = this.#table.at("everywhere", EVERYWHERE, nowMs);
    const retryAfterMs = Math.max(waitMs(prefix, PER_PREFIX), waitMs(everywhere, EVERYWHERE));
    if (retryAfterMs > 0) throw new MeridianError("too_many_requests", { retryAfterMs });
    const own = this.#table.at(`e ${email}`, PER_ADDRESS, nowMs);
    this.#table.set(prefixKey, { ...prefix, tokens: prefix.tokens - 1 });
    this.#table.set("everywhere", { ...everywhere, tokens: everywhere.tokens - 1 });
    if (own.tokens < 1) return false;
    this.#table.set(`e ${email}`, { ...own, tokens: own.tokens - 1 });
    return true;
  }
}
