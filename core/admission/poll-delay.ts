/**
 * When a client that waits is to ask again. Near the front nearly at once, far back seldom, and never so often
 * that all of them together ask more than the core can answer. Jittered, so that those who came together do not
 * go on asking together. Pure.
 */
import { QUEUE_POLL_MS_MAX } from "../../shared/protocol/queue.ts";

/** A client that asks so much later than it was told is still taken to be there, ms. */
export const PRESENCE_SLACK_MS = 3_000;
const POLL_MS_MIN = 1_000;
/** Of the wait: what can change meanwhile is not worth asking more often. */
const SHARE_OF_WAIT = 1 / 8;
/** For as long as nothing is known of the wait. */
const MS_PER_POSITION = 20;
/** So many at the front ask as often as can be, however slowly it moves: a free seat must not wait for its player. */
export const FRONT = 10;
/** Of the delay, in either direction. */
const JITTER = 0.15;

export interface PollDelayOptions {
  readonly position: number;
  /** Undefined while it is not known. */
  readonly etaMs: number | undefined;
  /** Before an opening, how long until then. */
  readonly opensInMs: number | undefined;
  /** Everybody who polls. */
  readonly waiting: number;
  readonly pollsPerSecondMax: number;
  /** 0 to 1. */
  readonly dice: number;
}

/** @returns ms, whole, `QUEUE_POLL_MS_MAX` at most */
export function pollDelayMs(options: PollDelayOptions): number {
  const { position, etaMs, opensInMs = 0, waiting, pollsPerSecondMax, dice } = options;
  const waitMs = etaMs === undefined ? position * MS_PER_POSITION : etaMs * SHARE_OF_WAIT;
  const fairMs = (waiting / pollsPerSecondMax) * 1_000;
  const backMs = position > FRONT ? Math.max(waitMs, fairMs) : 0;
  const longestMs = QUEUE_POLL_MS_MAX / (1 + JITTER);
  const delayMs = Math.min(longestMs, Math.max(POLL_MS_MIN, backMs, opensInMs));
  return Math.round(delayMs * (1 + JITTER * (2 * dice - 1)));
}
