/**
 * Whether somebody may try a password now. Pure.
 *
 * Only failures cost: an attempt takes its tokens when it begins (or thousands could begin at once) and
 * gets them back when it succeeds or could not be carried out. Who tries decides whose tokens:
 *
 * - A **device** that logged in to this account before has a bucket of its own (OWASP's "device
 *   cookies"). No guess elsewhere touches it, so nobody can lock the owner out.
 * - An address **prefix** from which this account logged in before has one per account and prefix.
 * - A **stranger** to the account needs a token of three: the account's, the prefix's, everybody's.
 *
 * One class after the other is tried, so a device that fails too often is a stranger from then on.
 *
 * A prefix may be a carrier's, with ten thousand players behind it and a guessing program among them.
 * Players who were there before don't share a bucket with that program. For new ones, successes earn
 * the prefix further failures, so that it may fail a stated number of times as often as it succeeds.
 * An account earns once in a while only: nobody can earn by logging in to an own one again and again.
 */
import { add, type Bucket, type Rate, waitMs } from "./bucket.ts";

export interface AttemptLimits {
  /** Failures of one known device, or of one account from one known prefix. */
  readonly known: Rate;
  /** Failures of strangers: on one account, from one prefix, from everywhere. */
  readonly account: Rate;
  readonly prefix: Rate;
  readonly everywhere: Rate;
  /** How often one account may earn. */
  readonly credit: Rate;
  /** Failures that a success earns its prefix, and everybody. */
  readonly creditPerSuccess: number;
  /** Most tokens in one bucket that earns. */
  readonly creditMax: number;
}

/** The present state of every bucket of an attempt; those of a stranger's are always there. */
export interface AttemptBuckets {
  readonly device: Bucket | undefined;
  readonly knownPrefix: Bucket | undefined;
  readonly account: Bucket;
  readonly prefix: Bucket;
  readonly everywhere: Bucket;
  readonly credit: Bucket;
}

export type AttemptClass = "device" | "knownPrefix" | "stranger";
export type AttemptOutcome = "failed" | "succeeded" | "not_tried";
export type AttemptLimitName = "account" | "prefix" | "everywhere";

export type Admission =
  | { readonly as: AttemptClass; readonly changed: Partial<AttemptBuckets> }
  | { readonly as: "refused"; readonly by: AttemptLimitName; readonly retryAfterMs: number };

/** Takes the tokens of an attempt that begins, or says when to come back. */
export function beginAttempt(buckets: AttemptBuckets, limits: AttemptLimits): Admission {
  const { device, knownPrefix, account, prefix, everywhere } = buckets;
  if (has(device)) return { as: "device", changed: { device: less(device) } };
  if (has(knownPrefix)) return { as: "knownPrefix", changed: { knownPrefix: less(knownPrefix) } };
  let slowest: { by: AttemptLimitName; retryAfterMs: number } | undefined;
  for (const by of STRANGERS) {
    const retryAfterMs = waitMs(buckets[by], limits[by]);
    if (retryAfterMs > (slowest?.retryAfterMs ?? 0)) slowest = { by, retryAfterMs };
  }
  if (slowest) return { as: "refused", ...slowest };
  const changed = { account: less(account), prefix: less(prefix), everywhere: less(everywhere) };
  return { as: "stranger", changed };
}

/** Gives tokens back when the attempt did not fail, and what its success earned. */
export function endAttempt(
  buckets: AttemptBuckets,
  attempt: { readonly as: AttemptClass; readonly outcome: AttemptOutcome },
  limits: AttemptLimits,
): Partial<AttemptBuckets> {
  const { as, outcome } = attempt;
  if (outcome === "failed") return {};
  const earns = outcome === "succeeded" && has(buckets.credit);
  const stranger = as === "stranger" ? 1 : 0;
  const earned = stranger + (earns ? limits.creditPerSuccess : 0);
  const own = as === "stranger" ? undefined : buckets[as];
  return {
    ...(own && { [as]: add(own, 1, limits.known.burst) }),
    account: add(buckets.account, stranger, limits.account.burst),
    prefix: add(buckets.prefix, earned, limits.creditMax),
    everywhere: add(buckets.everywhere, earned, limits.creditMax),
    ...(earns && { credit: less(buckets.credit) }),
  };
}

const STRANGERS = ["account", "prefix", "everywhere"] as const;

function has(bucket: Bucket | undefined): bucket is Bucket {
  return bucket !== undefined && bucket.tokens >= 1;
}

function less(bucket: Bucket): Bucket {
  return { ...bucket, tokens: bucket.tokens - 1 };
}
