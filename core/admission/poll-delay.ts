/**
 * When a client that waits is to ask again. Near the front nearly at once, far back seldom, and never so often
 * that all of them together ask more than the core can answer. Jittered, so that those who came together do not
 * go on asking together. Pure.
 */
import { type Eta, QUEUE_POLL_MS_MAX } from "../../shared/protocol/queue.ts";

/** A client that asks so much later than it was told is still taken to be there, ms. */
export const PRESENCE_SLACK_MS = 3_000;
export const POLL_MS_MIN = 1_000;
/** After an answer that was held back for seconds: until the next one comes nobody can tell the client of its turn. */
const AGAIN_MS = 100;
/** Of the wait: what can change meanwhile is not worth asking more often. */
const SHARE_OF_WAIT = 1 / 4;
/**
 * Of the shortest wait there may be: whoever is called asleep holds the seat empty until it asks. A wait that is not
 * known well has a low bound, so that a wrong estimate lets nobody sleep through the turn.
 */
const SHARE_OF_SHORTEST = 3 / 4;
/** For as long as nothing is known of the wait. */
const MS_PER_POSITION = 20;
/**
 * So many at the front ask as often as can be, however slowly it moves, because a free seat must not wait for its
 * player, and as many seats may be free at once when a round ends; but no more than a share of all polls.
 */
const FRONT_MAX = 500;
const FRONT_MIN = 10;
const FRONT_SHARE = 1 / 8;
/** Of the delay, in either direction. */
const JITTER = 0.15;

export interface PollDelayOptions {
  readonly position: number;
  /** Null while nothing can be said. */
  readonly eta: Pick<Eta, "ms" | "lowMs"> | null;
  /** Before an opening, how long until then. */
  readonly opensInMs: number | undefined;
  /** Everybody who polls. */
  readonly waiting: number;
  readonly pollsPerSecondMax: number;
  /** Whether this answer was held back as long as it could be. */
  readonly wasHeld?: boolean;
  /** 0 to 1. */
  readonly dice: number;
}

/** How many at the front of each line ask as often as can be. */
export function frontOf(pollsPerSecondMax: number): number {
  return Math.max(FRONT_MIN, Math.min(FRONT_MAX, Math.floor(pollsPerSecondMax * FRONT_SHARE)));
}

/** @returns ms, whole, `QUEUE_POLL_MS_MAX` at most */
export function pollDelayMs(options: PollDelayOptions): number {
  const {
    position,
    eta,
    opensInMs = 0,
    waiting,
    pollsPerSecondMax,
    wasHeld = false,
    dice,
  } = options;
  const soonestMs = eta ? eta.lowMs * SHARE_OF_SHORTEST : Number.POSITIVE_INFINITY;
  const waitMs = eta ? eta.ms * SHARE_OF_WAIT : position * MS_PER_POSITION;
  const fairMs = (waiting / pollsPerSecondMax) * 1_000;
  const backMs =
    position > frontOf(pollsPerSecondMax) ? Math.min(soonestMs, Math.max(waitMs, fairMs)) : 0;
  const longestMs = QUEUE_POLL_MS_MAX / (1 + JITTER);
  const askedMs = wasHeld ? AGAIN_MS : Math.max(POLL_MS_MIN, backMs, opensInMs);
  const delayMs = Math.min(longestMs, askedMs);
  return Math.round(delayMs * (1 + JITTER * (2 * dice - 1)));
}
