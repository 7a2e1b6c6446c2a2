/**
 * How fast guests may be made: a token bucket for each address prefix, and one for everybody.
 *
 * The prefix (IPv4 /24, IPv6 /48) gets a generous bucket: a whole town may come from one address of a
 * carrier. What bounds an attacker who has many prefixes is the common bucket. At most `PREFIXES_MAX`
 * buckets are kept; the one that was not used for longest goes first.
 */
import { isIPv6 } from "node:net";
import { MeridianError } from "../../shared/errors.ts";

const PREFIXES_MAX = 10_000;

export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

export interface Bucket {
  readonly tokens: number;
  readonly atMs: number;
}

/** The bucket after `nowMs`, refilled. Pure. */
export function refill(bucket: Bucket, rate: Rate, nowMs: number): Bucket {
  const gained = (Math.max(0, nowMs - bucket.atMs) * rate.perSecond) / 1_000;
  return { tokens: Math.min(rate.burst, bucket.tokens + gained), atMs: nowMs };
}

/** How long until the bucket holds a whole token, ms; 0 when it does. Pure. */
export function waitMs(bucket: Bucket, rate: Rate): number {
  if (bucket.tokens >= 1) return 0;
  return Math.ceil(((1 - bucket.tokens) * 1_000) / rate.perSecond);
}

export class GuestLimit {
  readonly #perPrefix: Rate;
  readonly #overall: Rate;
  readonly #buckets = new Map<string, Bucket>();
  #common: Bucket;

  constructor(perPrefix: Rate, overall: Rate) {
    this.#perPrefix = perPrefix;
    this.#overall = overall;
    this.#common = { tokens: overall.burst, atMs: 0 };
  }

  /** @throws {MeridianError} `too_many_requests`, with when to come back */
  take(address: string, nowMs: number): void {
    const prefix = prefixOf(address);
    const fresh = { tokens: this.#perPrefix.burst, atMs: nowMs };
    const own = refill(this.#buckets.get(prefix) ?? fresh, this.#perPrefix, nowMs);
    const common = refill(this.#common, this.#overall, nowMs);
    const retryAfterMs = Math.max(waitMs(own, this.#perPrefix), waitMs(common, this.#overall));
    if (retryAfterMs > 0) throw new MeridianError("too_many_requests", { retryAfterMs });
    this.#common = { ...common, tokens: common.tokens - 1 };
    this.#remember(prefix, { ...own, tokens: own.tokens - 1 });
  }

  get prefixes(): number {
    return this.#buckets.size;
  }

  #remember(prefix: string, bucket: Bucket): void {
    // Maps keep the order of insertion: the first is the one that was not used for longest.
    this.#buckets.delete(prefix);
    this.#buckets.set(prefix, bucket);
    if (this.#buckets.size <= PREFIXES_MAX) return;
    const [oldest] = this.#buckets.keys();
    if (oldest !== undefined) this.#buckets.delete(oldest);
  }
}

/** IPv4 /24, IPv6 /48; an IPv4 address written as IPv6 counts as IPv4. */
export function prefixOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  const plain = mapped ?? address;
  if (!isIPv6(plain)) return plain.split(".").slice(0, 3).join(".");
  const [head = "", tail] = plain.split("::");
  const groups = head === "" ? [] : head.split(":");
  // `::` stands for zeros; only the first three groups matter here.
  const padded = tail === undefined ? groups : [...groups, "0", "0", "0"];
  return padded
    .slice(0, 3)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}
