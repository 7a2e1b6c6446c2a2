/**
 * Core time, learnt from heartbeats: the core's clock at an answer belongs to the middle of its round
 * trip, so the estimate is wrong by half of that at most. Of the last few answers the one with the
 * shortest round trip is believed. Based on monotonic time: a jump of the wall clock here changes
 * nothing.
 */
const SAMPLES_MAX = 8;

interface Sample {
  readonly roundTripMs: number;
  /** Core time minus monotonic time, ms. */
  readonly offsetMs: number;
}

export interface CoreTime {
  readonly samples: readonly Sample[];
}

export const CORE_TIME_UNKNOWN: CoreTime = { samples: [] };

/** @param sentAtMs, receivedAtMs monotonic; @param coreTimeMs milliseconds since 1970 */
export function learnCoreTime(
  time: CoreTime,
  answer: { readonly sentAtMs: number; readonly receivedAtMs: number; readonly coreTimeMs: number },
): CoreTime {
  const roundTripMs = answer.receivedAtMs - answer.sentAtMs;
  const offsetMs = answer.coreTimeMs - (answer.sentAtMs + roundTripMs / 2);
  return { samples: [...time.samples, { roundTripMs, offsetMs }].slice(-SAMPLES_MAX) };
}

/** Core time in ms since 1970; undefined before the first answer. */
export function coreTimeAt(time: CoreTime, monotonicMs: number): number | undefined {
  const [first, ...rest] = time.samples;
  if (!first) return undefined;
  const best = rest.reduce((a, b) => (b.roundTripMs < a.roundTripMs ? b : a), first);
  return monotonicMs + best.offsetMs;
}
