/**
 * Every decision about a player's connection: when to doubt it, when and how often to try again, when
 * to give up. Pure: `(state, event, at) → [state, effects]`; `play.ts` carries the effects out.
 *
 * Invariants
 * - There is at most one attempt at a time, numbered by `serial`; answers to former ones are ignored.
 * - Silence is judged only by a client that was awake (`silence.ts`).
 * - Every search for a seat ends within its budget: in `queued`, `playing`, `lost`, `left` or `failed`.
 * - While a place in a queue is held no budget runs; `queue-step.ts` decides there. A call that fails then, that
 *   for the seat too, leads back to the queue.
 */
import { MeridianError } from "../errors.ts";
import { backoffMs } from "./backoff.ts";
import { type Connection, failureOfClose, mayReturn, ROOM_MOVED } from "./connection.ts";
import {
  ask,
  comeBack,
  end,
  followedBy,
  followMove,
  JOIN_BUDGET_MS,
  NEVER,
  open,
  RETURN_BACKOFF,
  returnFrom,
  type Step,
  search,
  tryAgain,
} from "./connection-moves.ts";
import type { At, ConnectionEvent, ConnectionState, QueuedEvent } from "./connection-state.ts";
import {
  beginWaiting,
  goOnWaiting,
  isQueueEvent,
  type QueueEvent,
  type QueueState,
  queueStep,
} from "./queue-step.ts";
import { viewOfQueue } from "./queue-view.ts";
import { isFull } from "./refusals.ts";
import { cameLate, judgeSilence, LIVENESS_PERIOD_MS } from "./silence.ts";
import { isCutOff, moveOf, notReached } from "./whereabouts.ts";

type Seat = Extract<ConnectionEvent, { type: "seat" }>;

export function connectionStep(state: ConnectionState, event: ConnectionEvent, at: At): Step {
  if (state.activity === "queued" && isQueueEvent(event)) return inQueue(state, event, at);
  switch (event.type) {
    case "join":
      return join(state, at);
    case "seat":
      return isCurrent(state, event.serial) ? seated(state, event, at) : [state, []];
    case "queued":
      return isCurrent(state, event.serial) ? queued(state, event, at) : [state, []];
    case "refused":
      return isCurrent(state, event.serial) ? refused(state, event.error, at) : [state, []];
    case "opened":
      return state.activity === "opening" ? live(state, at) : [state, []];
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
  return search({ ...state, placeLost: false, left: undefined, avoid: undefined }, at);
}

function seated(state: ConnectionState, { regionId, nodeId }: Seat, at: At): Step {
  if (state.activity === "live") {
    // The room is where it was: the silence goes on to be judged.
    if (nodeId === state.nodeId) return [{ ...state, asked: false, askAgainAtMs: NEVER }, []];
    const left = { ...returnFrom(state, at), attempt: 1 };
    return followedBy([{ type: "retire" }], open({ ...left, regionId, nodeId }, at));
  }
  // The core says that the room lives there, and it may well do, for others.
  if (isCutOff(state, nodeId, at.nowMs)) return search({ ...state, avoid: regionId }, at);
  return open({ ...state, regionId, nodeId, queue: undefined }, at);
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
  if (state.activity === "live") return [notTold(state, error, at), []];
  // Whether the room still is where it can't be reached is not known any more.
  if (state.returning) return tryAgain({ ...state, unreachable: undefined }, error, at);
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

function live(state: ConnectionState, { nowMs }: At): Step {
  const arrived: ConnectionState = {
    ...state,
    activity: "live",
    view: { phase: "playing", regionId: state.regionId },
    liveSinceMs: nowMs,
    heardAtMs: nowMs,
    wakeAtMs: nowMs + LIVENESS_PERIOD_MS,
    ...{ asked: false, askAgainAtMs: 0, left: undefined, unreachable: undefined },
  };
  return [arrived, moveOf(state, nowMs)];
}

function heard(state: ConnectionState, { nowMs }: At): ConnectionState {
  if (state.activity !== "live") return state;
  const { regionId } = state;
  const view: Connection =
    state.view.phase === "suspect" ? { phase: "playing", regionId } : state.view;
  return { ...state, view, heardAtMs: nowMs, asked: false, askAgainAtMs: 0 };
}

function closed(state: ConnectionState, code: number, reason: string, at: At): Step {
  if (state.activity === "live") {
    if (reason === ROOM_MOVED) return followMove(state, at);
    if (mayReturn(code)) return comeBack(state, at);
    return end(state, { phase: "left", reason: failureOfClose(code, reason)?.kind ?? "closed" });
  }
  if (state.activity !== "opening") return [state, []];
  const error = failureOfClose(code, reason) ?? new MeridianError("unavailable");
  const [next, effects] = tryAgain(notReached(state, { code, reason }), error, at);
  return [next, [{ type: "retire" }, ...effects]];
}

function wake(state: ConnectionState, at: At): Step {
  if (state.activity === "waiting") return ask(state);
  if (state.activity === "opening") {
    const silent = { code: 1006, reason: "" };
    const tried = cameLate(state, at.nowMs) ? state : notReached(state, silent);
    const [next, effects] = tryAgain(tried, new MeridianError("timeout"), at);
    return [next, [{ type: "retire" }, ...effects]];
  }
  return state.activity === "live" ? checkSilence(state, at) : [state, []];
}

function checkSilence(state: ConnectionState, at: At): Step {
  const { nowMs } = at;
  const checked = { ...state, wakeAtMs: nowMs + LIVENESS_PERIOD_MS };
  const doubted = (): ConnectionState =>
    state.view.phase === "suspect"
      ? checked
      : { ...checked, view: { phase: "suspect", regionId: state.regionId } };
  switch (judgeSilence(state, nowMs)) {
    case "slept":
      return [{ ...checked, heardAtMs: nowMs }, []];
    case "well":
      return [checked, []];
    case "doubted":
      return [doubted(), []];
    case "ask": {
      const serial = state.serial + 1;
      const unreachable = state.nodeId;
      const next = { ...doubted(), asked: true, serial };
      return [next, [{ type: "ask", serial, returning: true, unreachable }]];
    }
    case "dead":
      return comeBack(checked, at);
  }
}

/** The core could not say where the room is; for good or not, the connection is only doubted. */
function notTold(state: ConnectionState, error: MeridianError, at: At): ConnectionState {
  const delayMs = backoffMs(1, RETURN_BACKOFF, at.dice, error.retryAfterMs);
  return { ...state, asked: false, askAgainAtMs: error.retryable ? at.nowMs + delayMs : NEVER };
}

/** A socket of the former network is as good as dead: don't wait for the silence to prove it. */
function networkChanged(state: ConnectionState, at: At): Step {
  // A question of the former network gets no answer any more.
  if (state.activity === "live") return comeBack({ ...state, asked: false }, at);
  if (state.activity === "waiting" || state.activity === "asking") return ask(state);
  if (state.activity !== "opening") return [state, []];
  const [next, effects] = ask(state);
  return [next, [{ type: "retire" }, ...effects]];
}

function resumed(state: ConnectionState, at: At): Step {
  if (state.activity === "live") return [{ ...state, heardAtMs: at.nowMs }, []];
  return state.activity === "waiting" ? ask(state) : [state, []];
}

function isCurrent(state: ConnectionState, serial: number): boolean {
  const isAsking = state.activity === "asking" || (state.activity === "live" && state.asked);
  return isAsking && state.serial === serial;
}
