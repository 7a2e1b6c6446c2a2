/** The attempt limits as the settings give them. */
import type { AttemptLimits } from "./attempt-step.ts";

const HOUR_S = 3_600;

export interface AttemptSettings {
  readonly LOG_IN_FAILURES_PER_ACCOUNT_PER_HOUR: number;
  readonly LOG_IN_FAILURES_PER_ACCOUNT_BURST: number;
  readonly LOG_IN_FAILURES_PER_PREFIX_PER_SECOND: number;
  readonly LOG_IN_FAILURES_PER_PREFIX_BURST: number;
  readonly LOG_IN_FAILURES_PER_SECOND: number;
  readonly LOG_IN_FAILURES_BURST: number;
  readonly LOG_IN_CREDIT_PER_SUCCESS: number;
}

/** Ten failures at once of a known device, then one a minute. */
const KNOWN = { perSecond: 1 / 60, burst: 10 };
const CREDIT = { perSecond: 1 / HOUR_S, burst: 1 };
/** Credit may pile up to this many times the burst of everybody. */
const CREDIT_BURSTS = 4;

export function attemptLimitsOf(settings: AttemptSettings): AttemptLimits {
  return {
    known: KNOWN,
    account: {
      perSecond: settings.LOG_IN_FAILURES_PER_ACCOUNT_PER_HOUR / HOUR_S,
      burst: settings.LOG_IN_FAILURES_PER_ACCOUNT_BURST,
    },
    prefix: {
      perSecond: settings.LOG_IN_FAILURES_PER_PREFIX_PER_SECOND,
      burst: settings.LOG_IN_FAILURES_PER_PREFIX_BURST,
    },
    everywhere: {
      perSecond: settings.LOG_IN_FAILURES_PER_SECOND,
      burst: settings.LOG_IN_FAILURES_BURST,
    },
    credit: CREDIT,
    creditPerSuccess: settings.LOG_IN_CREDIT_PER_SUCCESS,
    creditMax: CREDIT_BURSTS * settings.LOG_IN_FAILURES_BURST,
  };
}
