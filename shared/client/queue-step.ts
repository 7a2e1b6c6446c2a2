/**
 * Every decision of a client that waits in a queue: when to ask how far its place has come, and how, what to
 * make of the answer, and when the place is gone. Pure; a part of `connection-step.ts`, carried out by
 * `waiting.ts`.
 *
 * Invariants
 * - There is at most one call at a time: a new one, or `hush`, ends the former, of which nothing more is told.
 * - Nobody asks sooner than the server said, but for news that can't wait (an accepted offer, a tab that is
 *   looked at again or not any more), and then not before half of that.
 * - A call that fails costs no place: it is asked again for as long as the server may keep it.
 */
import type { MeridianError } from "../errors.ts";
import type { QueueOffer, QueuePlace } from "../protocol/queue.ts";
import { type Backoff, backoffMs } from "./backoff.ts";

/** After calls that failed. Below the time that a place is called for, so that no call is missed. */
export const QUEUE_BACKOFF: Backoff = { firstMs: 1_000, mostMs: 5_000 };
/** A stream that broke or was refused is not asked for again before. */
export const STREAM_AGAIN_MS = 60_000;

/** How a wait began, also over reloads of the page. */
export interface Beginning {
  /** The first one known: null until then. */
  readonly position: number | null;
  /** Ms since 1970. */
  readonly atMs: number;
}

export interface QueueState {
  /** As last heard. */
  readonly place: QueuePlace;
  readonly beginning: Beginning;
  /** Regions whose offers are not wanted in this wait. */
  readonly declined: readonly string[];
  /** The region of an offer that is being accepted. */
  readonly accepting: string | undefined;
  /** Whether nobody looks. */
  readonly hidden: boolean;
  readonly activity: "pausing" | "polling" | "streaming";
  readonly heardAtMs: number;
  /** Polls that failed since the last answer. */
  readonly failures: number;
  /** A stream may be asked for from then on; Infinity where there are none. */
  readonly streamFromMs: number;
  /** When the event `wake` is wanted; Infinity for never. */
  readonly wakeAtMs: number;
}

export type QueueEvent =
  /** An answer, or one of a stream. */
  | { readonly type: "place"; readonly place: QueuePlace; readonly beginning: Beginning }
  /** The call failed; of a stream, also that it ended. */
  | { readonly type: "unanswered"; readonly error: MeridianError }
  | { readonly type: "accept" | "decline"; readonly regionId: string }
  | { readonly type: "wake" | "resumed" | "hidden" | "networkChanged" };

export type QueueEffect =
  /** Answered by `place` or `unanswered`. */
  | { readonly type: "poll"; readonly hidden: boolean; readonly accept: string | undefined }
  /** Answered by `place` again and again, at last by `unanswered`. */
  | { readonly type: "stream" }
  /** Ends the call that is under way. */
  | { readonly type: "hush" };

/**
 * `called`: to be exchanged for the seat. `lost`: the server does not know the place any more. `overdue`: it has
 * not answered for longer than it keeps one. A failure: the end.
 */
export type Outcome = "waiting" | "called" | "lost" | "overdue" | MeridianError;

interface At {
  readonly nowMs: number;
  readonly dice: number;
}

type Step = readonly [QueueState, readonly QueueEffect[], Outcome];

export interface Circumstances {
  readonly hidden: boolean;
  /** Whether answers can be streamed here. */
  readonly streams: boolean;
}

/** A join was answered with a place. */
export function beginWaiting(
  place: QueuePlace,
  beginning: Beginning,
  { hidden, streams }: Circumstances,
  at: At,
): Step {
  const queue: QueueState = {
    place,
    beginning,
    declined: [],
    accepting: undefined,
    hidden,
    activity: "pausing",
    heardAtMs: at.nowMs,
    failures: 0,
    streamFromMs: streams ? at.nowMs : NEVER,
    wakeAtMs: NEVER,
  };
  return askNext(queue, at);
}

/** A called place was to be exchanged, and the answer was the place again: no region gave the seat. */
export function goOnWaiting(queue: QueueState, place: QueuePlace, at: At): Step {
  // Not sooner: a region that calls and refuses again and again is not hammered.
  return [pause(heard(queue, place, at), at.nowMs + place.pollAfterMs), [], "waiting"];
}

export function queueStep(queue: QueueState, event: QueueEvent, at: At): Step {
  switch (event.type) {
    case "place":
      return placeHeard({ ...queue, beginning: event.beginning }, event.place, at);
    case "unanswered":
      return unanswered(queue, event.error, at);
    case "accept":
      return poll({ ...queue, accepting: event.regionId });
    case "decline":
      return [{ ...queue, declined: [...queue.declined, event.regionId] }, [], "waiting"];
    case "wake":
      return queue.activity === "pausing" ? call(queue, at) : still(queue);
    case "resumed":
      return queue.activity === "pausing"
        ? soon({ ...queue, hidden: false }, at)
        : still({ ...queue, hidden: false });
    case "hidden":
      // A poll says that nobody looks, before the browser holds back the timers; a stream can't.
      return queue.activity === "polling"
        ? still({ ...queue, hidden: true })
        : soon({ ...queue, hidden: true }, at);
    case "networkChanged":
      return soon(queue, at);
  }
}

const QUEUE_EVENTS: readonly string[] = [
  ...["place", "unanswered", "accept", "decline"],
  ...["wake", "resumed", "hidden", "networkChanged"],
];

export function isQueueEvent(event: { readonly type: string }): event is QueueEvent {
  return QUEUE_EVENTS.includes(event.type);
}

/** What there is to choose from. */
export function openOffers({ place, declined, accepting }: QueueState): readonly QueueOffer[] {
  return place.offers.filter(
    ({ regionId }) => !declined.includes(regionId) && regionId !== accepting,
  );
}

function placeHeard(before: QueueState, place: QueuePlace, at: At): Step {
  const queue = heard(before, place, at);
  if (place.state === "called") return [pause(queue, NEVER), [{ type: "hush" }], "called"];
  return queue.activity === "streaming" ? still(queue) : askNext(queue, at);
}

function heard(queue: QueueState, place: QueuePlace, at: At): QueueState {
  // An offer was accepted by the poll that this is the answer to, or is asked for by the next one.
  const accepting = queue.activity === "polling" ? undefined : queue.accepting;
  return { ...queue, place, accepting, heardAtMs: at.nowMs, failures: 0 };
}

/** After an answer. */
function askNext(queue: QueueState, { nowMs }: At): Step {
  const { heardAtMs, place } = queue;
  const atMs = mayStream(queue, nowMs) ? earliest(queue, nowMs) : heardAtMs + place.pollAfterMs;
  return [pause(queue, Math.max(nowMs, atMs)), [], "waiting"];
}

function call(queue: QueueState, { nowMs }: At): Step {
  if (!mayStream(queue, nowMs)) return poll(queue);
  const streaming: QueueState = { ...queue, activity: "streaming", wakeAtMs: NEVER };
  return [streaming, [{ type: "stream" }], "waiting"];
}

/** A stream can say neither that nobody looks nor that an offer is accepted. */
function mayStream({ hidden, accepting, streamFromMs }: QueueState, nowMs: number): boolean {
  return !hidden && accepting === undefined && nowMs >= streamFromMs;
}

function unanswered(before: QueueState, error: MeridianError, at: At): Step {
  const { nowMs, dice } = at;
  if (error.kind === "place_lost") return [pause(before, NEVER), [], "lost"];
  if (before.activity === "streaming") {
    return [streamEnded(before, error, at), [], "waiting"];
  }
  const refused = before.accepting;
  if (refused !== undefined && (error.kind === "bad_request" || error.kind === "queue_full")) {
    const declined = [...before.declined, refused];
    return askNext({ ...before, declined, accepting: undefined }, at);
  }
  if (!error.retryable) return [pause(before, NEVER), [], error];
  const queue = { ...before, failures: before.failures + 1 };
  if (nowMs - queue.heardAtMs > queue.place.graceMs) return [pause(queue, NEVER), [], "overdue"];
  const delayMs = backoffMs(queue.failures, QUEUE_BACKOFF, dice, error.retryAfterMs);
  return [pause(queue, earliest(queue, nowMs + delayMs)), [], "waiting"];
}

/** By polls then: how long the server wants no stream says nothing of those. */
function streamEnded(queue: QueueState, error: MeridianError, { nowMs, dice }: At): QueueState {
  const { retryAfterMs = 0, kind } = error;
  const streamFromMs = nowMs + Math.max((1 + dice) * STREAM_AGAIN_MS, retryAfterMs);
  // The streams of all who wait break at the same moment: their polls are spread.
  const spreadMs = dice * Math.max(QUEUE_BACKOFF.firstMs, queue.place.pollAfterMs);
  const pollAtMs = nowMs + spreadMs + (kind === "too_many_requests" ? retryAfterMs : 0);
  return pause({ ...queue, streamFromMs }, earliest(queue, pollAtMs));
}

function poll(queue: QueueState): Step {
  const { hidden, accepting } = queue;
  const polling: QueueState = { ...queue, activity: "polling", wakeAtMs: NEVER };
  return [polling, [{ type: "poll", hidden, accept: accepting }], "waiting"];
}

/** As soon as the server takes it. */
function soon(queue: QueueState, { nowMs }: At): Step {
  const effects: QueueEffect[] = queue.activity === "pausing" ? [] : [{ type: "hush" }];
  return [pause(queue, earliest(queue, nowMs)), effects, "waiting"];
}

/** The server takes no poll before half of the delay that it gave. */
function earliest({ heardAtMs, place }: QueueState, atMs: number): number {
  return Math.max(atMs, heardAtMs + place.pollAfterMs / 2);
}

function still(queue: QueueState): Step {
  return [queue, [], "waiting"];
}

function pause(queue: QueueState, wakeAtMs: number): QueueState {
  return { ...queue, activity: "pausing", wakeAtMs };
}

const NEVER = Number.POSITIVE_INFINITY;
