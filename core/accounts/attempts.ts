/**
 * The buckets of all password attempts, in bounded memory. What is decided is in `attempt-step.ts`.
 *
 * An attempt that is refused changes nothing, so only admitted ones add buckets. Strangers add two at
 * most, at the rate of `everywhere`: at its default of 20/s it takes them 40 minutes to push a bucket
 * out of the table, and by then it has filled up by itself. Known ones add one for each device or
 * network that has logged in to the account, and one for what the account earned.
 */
import {
  type Admission,
  type AttemptBuckets,
  type AttemptClass,
  type AttemptLimits,
  type AttemptOutcome,
  beginAttempt,
  endAttempt,
} from "./attempt-step.ts";
import { BucketTable, type Rate } from "./bucket.ts";

const BUCKETS_MAX = 200_000;

/** Who tries what from where. The keys are short texts of any form. */
export interface Attempt {
  readonly account: string;
  readonly prefix: string;
  /** Of a device that has proved that it logged in to this account before. */
  readonly device: string | undefined;
  /** Whether this account logged in from this prefix before. */
  readonly prefixKnown: boolean;
}

export class Attempts {
  readonly #limits: AttemptLimits;
  readonly #table = new BucketTable(BUCKETS_MAX);

  constructor(limits: AttemptLimits) {
    this.#limits = limits;
  }

  get buckets(): number {
    return this.#table.size;
  }

  /** What `begin` would say. */
  peek(attempt: Attempt, nowMs: number): Admission {
    return beginAttempt(this.#bucketsOf(attempt, nowMs), this.#limits);
  }

  begin(attempt: Attempt, nowMs: number): Admission {
    const admission = this.peek(attempt, nowMs);
    if (admission.as !== "refused") this.#keep(attempt, admission.changed);
    return admission;
  }

  end(attempt: Attempt, as: AttemptClass, outcome: AttemptOutcome, nowMs: number): void {
    const buckets = this.#bucketsOf(attempt, nowMs);
    this.#keep(attempt, endAttempt(buckets, { as, outcome }, this.#limits));
  }

  #bucketsOf(attempt: Attempt, nowMs: number): AttemptBuckets {
    const keys = keysOf(attempt);
    const at = (key: string, rate: Rate) => this.#table.at(key, rate, nowMs);
    const { known, account, prefix, everywhere, credit } = this.#limits;
    return {
      device: keys.device === undefined ? undefined : at(keys.device, known),
      knownPrefix: keys.knownPrefix === undefined ? undefined : at(keys.knownPrefix, known),
      account: at(keys.account, account),
      prefix: at(keys.prefix, prefix),
      everywhere: at(keys.everywhere, everywhere),
      credit: at(keys.credit, credit),
    };
  }

  #keep(attempt: Attempt, changed: Partial<AttemptBuckets>): void {
    const keys = keysOf(attempt);
    for (const name of BUCKETS) {
      const [key, bucket] = [keys[name], changed[name]];
      if (key !== undefined && bucket) this.#table.set(key, bucket);
    }
  }
}

const BUCKETS = ["device", "knownPrefix", "account", "prefix", "everywhere", "credit"] as const;

function keysOf({ account, prefix, device, prefixKnown }: Attempt) {
  return {
    device: device === undefined ? undefined : `d ${account} ${device}`,
    knownPrefix: prefixKnown ? `k ${account} ${prefix}` : undefined,
    account: `a ${account}`,
    prefix: `p ${prefix}`,
    everywhere: "everywhere",
    credit: `c ${account}`,
  };
}
