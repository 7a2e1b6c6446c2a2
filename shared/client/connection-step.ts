/**
 * Every decision about a player's connection: when to doubt it, when and how often to try again, when
 * to give up. Pure: `(state, event, at) → [state, effects]`; `play.ts` carries the effects out.
 *
 * Invariants
 * - There is at most one attempt at a time, numbered by `serial`; answers to former ones are ignored.
 * - Silence is judged only by a client that was awake: when a timer comes much later than asked for,
 *   the device slept or the tab was throttled, and the count begins anew.
 * - Every search for a seat ends within its budget: in `queued`, `playing`, `lost`, `left` or `failed`.
 * - While a place in a queue is held no budget runs; `queue-step.ts` decides there. A call that fails then, that
 *   for the seat too, leads back to the queue.
 */
import { MeridianError } from "../errors.ts";
import { type Backoff, backoffMs } from "./backoff.ts";
import { type Connection, failureOfClose, mayReturn } from "./connection.ts";
import type {
  At,
  ConnectionEvent,
  ConnectionState,
  Effect,
  QueuedEvent,
} from "./connection-state.ts";
import {
  beginWaiting,
  goOnWaiting,
  isQueueEvent,
  type QueueEvent,
  type QueueState,
  queueStep,
} from "./queue-step.ts";
import { viewOfQueue } from "./queue-view.ts";
import { anotherTicketHelps, isFull, isGone } from "./refusals.ts";

/** Rooms send something at least every 500 ms, so three were missed. */
export const SUSPECT_AFTER_MS = 1_500;
export const RECONNECT_AFTER_MS = 4_000;
export const LIVENESS_PERIOD_MS = 250;
/** A timer that comes this late was held up by sleep, not by the event loop. */
export const SLEPT_LATE_MS = 1_000;
/** From the opening of a connection to its first state. */
export const OPEN_DEADLINE_MS = 5_000;
/** A connection that breaks sooner counts as one more failed attempt. */
export const STABLE_AFTER_MS = 5_000;

/** Players who lost the same region must not all ask at once, nor wait long. */
export const FIRST_RETURN_JITTER_MS = 250;
/** As long as a seat is kept by default. */
export const RETURN_BUDGET_MS = 30_000;
export const RETURN_BACKOFF: Backoff = { firstMs: 500, mostMs: 5_000 };
export const JOIN_BUDGET_MS = 20_000;
export const JOIN_ATTEMPTS_MAX = 8;
export const JOIN_BACKOFF: Backoff = { firstMs: 500, mostMs: 5_000 };

type Step = readonly [ConnectionState, readonly Effect[]];

export function connectionStep(state: ConnectionState, event: ConnectionEvent, at: At): Step {
  if (state.activity === "queued" && isQueueEvent(event)) return inQueue(state, event, at);
  switch (event.type) {
    case "join":
      return join(state, at);
    case "seat":
      if (!isCurrent(state, event.serial)) return [state, []];
      return open({ ...state, regionId: event.regionId, queue: undefined }, at);
    case "queued":
      return isCurrent(state, event.serial) ? queued(state, event, at) : [state, []];
    case "refused":
      return isCurrent(state, event.serial) ? refused(state, event.error, at) : [state, []];
    case "opened":
      return state.activity === "opening" ? [live(state, at), []] : [state, []];
    case "heard":
      return [heard(state, at), []];
    case "closed":
      return closed(state, event.code, event.reason, at);
    case "wake":
      return wake(state, at);
    case "networkChanged":
      return networkChanged(state, at);
    case "resumed":
      return resumed(state, at);
    case "leave":
      return leave(state);
    case "place":
    case "unanswered":
    case "accept":
    case "decline":
    case "hidden":
      // There is no queue, or none is waited in any more.
      return [state, []];
  }
}

function join(state: ConnectionState, at: At): Step {
  if (state.activity !== "none") return [state, []];
  return search({ ...state, placeLost: false }, at);
}

function search(state: ConnectionState, { nowMs }: At): Step {
  const giveUpAtMs = nowMs + JOIN_BUDGET_MS;
  return ask({ ...state, returning: false, queue: undefined, attempt: 1, giveUpAtMs });
}

function queued(state: ConnectionState, event: QueuedEvent, at: At): Step {
  const { place, beginning } = event;
  const [queue, effects] = state.queue
    ? goOnWaiting({ ...state.queue, beginning }, place, at)
    : beginWaiting(place, beginning, event, at);
  return [waitingIn(state, queue), effects];
}

function inQueue(state: ConnectionState, event: QueueEvent, at: At): Step {
  if (!state.queue) return [state, []];
  const [queue, effects, outcome] = queueStep(state.queue, event, at);
  // Whoever has had an answer may lose this place, too, and begin anew once more.
  const placeLost = state.placeLost && event.type !== "place";
  const next = { ...waitingIn(state, queue), placeLost };
  switch (outcome) {
    case "waiting":
      return [next, effects];
    case "called":
      return followedBy(effects, exchange(next, queue.place.regionId, at));
    case "lost":
      return losePlace(next, at);
    case "overdue":
      return search(next, at);
    default:
      return end(next, { phase: "failed", error: outcome });
  }
}

/** The place for its seat. */
function exchange(state: ConnectionState, regionId: string, { nowMs }: At): Step {
  return ask({ ...state, regionId, attempt: 1, giveUpAtMs: nowMs + JOIN_BUDGET_MS });
}

function waitingIn(state: ConnectionState, queue: QueueState): ConnectionState {
  const { wakeAtMs } = queue;
  return { ...state, activity: "queued", queue, wakeAtMs, view: viewOfQueue(queue) };
}

/** Begins anew, at the end of the line; not again and again. */
function losePlace(state: ConnectionState, at: At): Step {
  if (state.placeLost) {
    return end(state, { phase: "failed", error: new MeridianError("place_lost") });
  }
  return followedBy([{ type: "forgetPlace" }], search({ ...state, placeLost: true }, at));
}

function refused(state: ConnectionState, error: MeridianError, at: At): Step {
  if (state.returning) return tryAgain(state, error, at);
  if (error.kind === "place_lost") return losePlace(state, at);
  if (isFull(error.kind) && !state.queue) return end(state, { phase: "failed", error });
  if (!state.queue || !error.retryable) return tryAgain(state, error, at);
  return inQueue(waitingIn(state, state.queue), { type: "unanswered", error }, at);
}

function leave(state: ConnectionState): Step {
  const inRoom = state.activity === "live";
  const [left, effects] = end(state, { phase: "left", reason: "asked" }, inRoom);
  if (inRoom || state.returning) return [left, effects];
  return [left, [...effects, { type: "giveUpPlace" }]];
}

function followedBy(first: readonly Effect[], [state, then]: Step): Step {
  return [state, [...first, ...then]];
}

/** The connection broke, or is given up: come back, the first time nearly at once. */
function comeBack(state: ConnectionState, at: At): Step {
  const stable = at.nowMs - state.liveSinceMs >= STABLE_AFTER_MS;
  const broken: ConnectionState = { ...state, returning: true };
  const first = { ...broken, attempt: 0, giveUpAtMs: at.nowMs + RETURN_BUDGET_MS };
  if (stable || !state.returning) {
    return [waiting(first, at.dice * FIRST_RETURN_JITTER_MS, at), [{ type: "retire" }]];
  }
  const [next, effects] = tryAgain(broken, new MeridianError("going_away"), at);
  return [next, [{ type: "retire" }, ...effects]];
}

/** After an attempt that failed. */
function tryAgain(state: ConnectionState, error: MeridianError, at: At): Step {
  const { returning, attempt, regionId } = state;
  const giveUp: Connection = returning
    ? { phase: "lost", regionId, error }
    : { phase: "failed", error };
  if (returning && isGone(error.kind)) return end(state, giveUp);
  if (!error.retryable && !anotherTicketHelps(error.kind)) {
    return end(state, returning ? { phase: "left", reason: error.kind } : giveUp);
  }
  const backoff = returning ? RETURN_BACKOFF : JOIN_BACKOFF;
  const delayMs = backoffMs(Math.max(1, attempt), backoff, at.dice, error.retryAfterMs);
  const tooMany = !returning && attempt >= JOIN_ATTEMPTS_MAX;
  if (tooMany || at.nowMs + delayMs > state.giveUpAtMs) return end(state, giveUp);
  return [waiting(state, delayMs, at), []];
}

function waiting(state: ConnectionState, delayMs: number, at: At): ConnectionState {
  const attempt = state.attempt + 1;
  const next = { ...state, activity: "waiting" as const, attempt, wakeAtMs: at.nowMs + delayMs };
  return { ...next, view: seeking(next, delayMs) };
}

function ask(state: ConnectionState): Step {
  const serial = state.serial + 1;
  const { returning } = state;
  const asking = { ...state, activity: "asking" as const, serial, wakeAtMs: NEVER };
  return [{ ...asking, view: seeking(asking, 0) }, [{ type: "ask", serial, returning }]];
}

function open(state: ConnectionState, at: At): Step {
  const { returning, regionId } = state;
  const view: Connection = returning ? seeking(state, 0) : { phase: "connecting", regionId };
  const wakeAtMs = at.nowMs + OPEN_DEADLINE_MS;
  return [{ ...state, activity: "opening", view, wakeAtMs }, [{ type: "open" }]];
}

function live(state: ConnectionState, { nowMs }: At): ConnectionState {
  return {
    ...state,
    activity: "live",
    view: { phase: "playing", regionId: state.regionId },
    liveSinceMs: nowMs,
    heardAtMs: nowMs,
    wakeAtMs: nowMs + LIVENESS_PERIOD_MS,
  };
}

function heard(state: ConnectionState, { nowMs }: At): ConnectionState {
  if (state.activity !== "live") return state;
  const { regionId } = state;
  const view: Connection =
    state.view.phase === "suspect" ? { phase: "playing", regionId } : state.view;
  return { ...state, view, heardAtMs: nowMs };
}

function closed(state: ConnectionState, code: number, reason: string, at: At): Step {
  if (state.activity === "live") {
    if (mayReturn(code)) return comeBack(state, at);
    return end(state, { phase: "left", reason: failureOfClose(code, reason)?.kind ?? "closed" });
  }
  if (state.activity !== "opening") return [state, []];
  const error = failureOfClose(code, reason) ?? new MeridianError("unavailable");
  const [next, effects] = tryAgain(state, error, at);
  return [next, [{ type: "retire" }, ...effects]];
}

function wake(state: ConnectionState, at: At): Step {
  if (state.activity === "waiting") return ask(state);
  if (state.activity === "opening") {
    const [next, effects] = tryAgain(state, new MeridianError("timeout"), at);
    return [next, [{ type: "retire" }, ...effects]];
  }
  return state.activity === "live" ? checkSilence(state, at) : [state, []];
}

function checkSilence(state: ConnectionState, at: At): Step {
  const { nowMs } = at;
  const slept = nowMs - state.wakeAtMs > SLEPT_LATE_MS;
  const checked = { ...state, wakeAtMs: nowMs + LIVENESS_PERIOD_MS };
  if (slept) return [{ ...checked, heardAtMs: nowMs }, []];
  const silentMs = nowMs - state.heardAtMs;
  if (silentMs >= RECONNECT_AFTER_MS) return comeBack(checked, at);
  if (silentMs < SUSPECT_AFTER_MS || state.view.phase === "suspect") return [checked, []];
  return [{ ...checked, view: { phase: "suspect", regionId: state.regionId } }, []];
}

/** A socket of the former network is as good as dead: don't wait for the silence to prove it. */
function networkChanged(state: ConnectionState, at: At): Step {
  if (state.activity === "live") return comeBack(state, at);
  if (state.activity === "waiting" || state.activity === "asking") return ask(state);
  if (state.activity !== "opening") return [state, []];
  const [next, effects] = ask(state);
  return [next, [{ type: "retire" }, ...effects]];
}

function resumed(state: ConnectionState, at: At): Step {
  if (state.activity === "live") return [{ ...state, heardAtMs: at.nowMs }, []];
  return state.activity === "waiting" ? ask(state) : [state, []];
}

function end(state: ConnectionState, view: Connection, politely = false): Step {
  const over = { ...state, view, activity: "none" as const, serial: state.serial + 1 };
  const effect: Effect = { type: politely ? "sayLeave" : "retire" };
  const hushed: Effect[] = state.queue ? [{ type: "hush" }] : [];
  return [{ ...over, queue: undefined, wakeAtMs: NEVER }, [...hushed, effect]];
}

const NEVER = Number.POSITIVE_INFINITY;

function seeking(state: ConnectionState, nextInMs: number): Connection {
  const { returning, attempt, regionId, queue } = state;
  if (queue && !returning) return { phase: "admitted", regionId };
  return returning
    ? { phase: "reconnecting", regionId, attempt, nextInMs }
    : { phase: "joining", attempt, nextInMs };
}

function isCurrent(state: ConnectionState, serial: number): boolean {
  return state.activity === "asking" && state.serial === serial;
}
