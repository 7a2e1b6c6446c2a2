/**
 * What a connection does next, whatever led there: to look for a seat, to come back, to try again, to end. Each has
 * its budget; see `connection-step.ts`, which decides between them. Pure.
 */
import { MeridianError } from "../errors.ts";
import { type Backoff, backoffMs } from "./backoff.ts";
import type { Connection } from "./connection.ts";
import type { At, ConnectionState, Effect } from "./connection-state.ts";
import { anotherTicketHelps, isGone } from "./refusals.ts";
import { isMoving, leaveBehind } from "./whereabouts.ts";

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

export type Step = readonly [ConnectionState, readonly Effect[]];

export function search(state: ConnectionState, { nowMs }: At): Step {
  const giveUpAtMs = nowMs + JOIN_BUDGET_MS;
  const fresh = { queue: undefined, unreachable: undefined, attempt: 1, giveUpAtMs };
  return ask({ ...state, ...fresh, returning: false });
}

/** The connection broke, or is given up: come back, the first time nearly at once. */
export function comeBack(state: ConnectionState, at: At): Step {
  const stable = at.nowMs - state.liveSinceMs >= STABLE_AFTER_MS;
  if (stable || !state.returning) {
    const first = { ...returnFrom(state, at), attempt: 0 };
    const next = state.asked
      ? asking({ ...first, attempt: 1 })
      : waiting(first, at.dice * FIRST_RETURN_JITTER_MS, at);
    return [next, [{ type: "retire" }]];
  }
  const broken = { ...leaveBehind(state), asked: false };
  const [next, effects] = tryAgain(broken, new MeridianError("going_away"), at);
  return [next, [{ type: "retire" }, ...effects]];
}

/**
 * The room is moved to another node, and its players with it: the core is asked at once. Rooms move a few at a time,
 * so no more than their players ask together; and a connection that ends so has not failed, however young it is.
 */
export function followMove(state: ConnectionState, at: At): Step {
  return followedBy([{ type: "retire" }], ask({ ...returnFrom(state, at), attempt: 1 }));
}

export function returnFrom(state: ConnectionState, { nowMs }: At): ConnectionState {
  const giveUpAtMs = nowMs + RETURN_BUDGET_MS;
  return {
    ...leaveBehind(state),
    returning: true,
    asked: false,
    unreachable: undefined,
    giveUpAtMs,
  };
}

/** After an attempt that failed. */
export function tryAgain(state: ConnectionState, error: MeridianError, at: At): Step {
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

export function ask(state: ConnectionState): Step {
  const serial = state.serial + 1;
  const { returning, unreachable, avoid } = state;
  const elsewhere = returning
    ? unreachable && { unreachable: unreachable.nodeId }
    : avoid !== undefined && { avoid };
  return [asking({ ...state, serial }), [{ type: "ask", serial, returning, ...elsewhere }]];
}

function asking(state: ConnectionState): ConnectionState {
  return { ...state, activity: "asking", wakeAtMs: NEVER, view: seeking(state, 0) };
}

export function open(state: ConnectionState, { nowMs }: At): Step {
  const wakeAtMs = nowMs + OPEN_DEADLINE_MS;
  const opening = { ...state, activity: "opening" as const, openedAtMs: nowMs, wakeAtMs };
  return [{ ...opening, view: viewOfOpening(state) }, [{ type: "open" }]];
}

function viewOfOpening(state: ConnectionState): Connection {
  const { returning, regionId, left } = state;
  if (!returning) return { phase: "connecting", regionId };
  if (left && isMoving(state)) return { phase: "moving", from: left.regionId, to: regionId };
  return seeking(state, 0);
}

export function followedBy(first: readonly Effect[], [state, then]: Step): Step {
  return [state, [...first, ...then]];
}

export function end(state: ConnectionState, view: Connection, politely = false): Step {
  const over = {
    ...state,
    view,
    activity: "none" as const,
    asked: false,
    serial: state.serial + 1,
  };
  const effect: Effect = { type: politely ? "sayLeave" : "retire" };
  const hushed: Effect[] = state.queue ? [{ type: "hush" }] : [];
  return [{ ...over, queue: undefined, wakeAtMs: NEVER }, [...hushed, effect]];
}

export const NEVER = Number.POSITIVE_INFINITY;

function seeking(state: ConnectionState, nextInMs: number): Connection {
  const { returning, attempt, regionId, queue } = state;
  if (queue && !returning) return { phase: "admitted", regionId };
  return returning
    ? { phase: "reconnecting", regionId, attempt, nextInMs }
    : { phase: "joining", attempt, nextInMs };
}
