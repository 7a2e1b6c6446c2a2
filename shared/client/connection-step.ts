/**
 * Every decision about a player's connection: when to doubt it, when and how often to try again, when
 * to give up. Pure: `(state, event, at) → [state, effects]`; `play.ts` carries the effects out.
 *
 * Invariants
 * - There is at most one attempt at a time, numbered by `serial`; answers to former ones are ignored.
 * - Silence is judged only by a client that was awake: when a timer comes much later than asked for,
 *   the device slept or the tab was throttled, and the count begins anew.
 * - Every search for a seat ends within its budget: in `playing`, `lost`, `left` or `failed`.
 */
import { type ErrorKind, MeridianError } from "../errors.ts";
import { type Backoff, backoffMs } from "./backoff.ts";
import { type Connection, failureOfClose, mayReturn } from "./connection.ts";

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

export interface ConnectionState {
  readonly view: Connection;
  readonly activity: "none" | "waiting" | "asking" | "opening" | "live";
  /** Whether there is a session to come back to; else any room will do. */
  readonly returning: boolean;
  readonly regionId: string;
  readonly serial: number;
  readonly attempt: number;
  readonly giveUpAtMs: number;
  readonly liveSinceMs: number;
  readonly heardAtMs: number;
  /** When the event `wake` is wanted; Infinity for never. */
  readonly wakeAtMs: number;
}

export type ConnectionEvent =
  | { readonly type: "join" | "opened" | "heard" | "wake" | "leave" }
  | { readonly type: "networkChanged" | "resumed" }
  | { readonly type: "seat"; readonly serial: number; readonly regionId: string }
  | { readonly type: "refused"; readonly serial: number; readonly error: MeridianError }
  | { readonly type: "closed"; readonly code: number; readonly reason: string };

export type Effect =
  /** Ask the core for a seat: the kept one, or any. Answered by `seat` or `refused`. */
  | { readonly type: "ask"; readonly serial: number; readonly returning: boolean }
  /** Open a connection with the seat. Answered by `opened` or `closed`. */
  | { readonly type: "open" }
  /** Let go of the connection, whatever its state; nothing more of it is told. */
  | { readonly type: "retire" }
  /** Tell the room that the player leaves, then let go. */
  | { readonly type: "sayLeave" };

/** The present: ms that never run backwards, and a random number from 0 to 1. */
export interface At {
  readonly nowMs: number;
  readonly dice: number;
}

type Step = readonly [ConnectionState, readonly Effect[]];

export const initialConnection: ConnectionState = {
  view: { phase: "idle" },
  activity: "none",
  returning: false,
  regionId: "",
  serial: 0,
  attempt: 0,
  giveUpAtMs: 0,
  liveSinceMs: 0,
  heardAtMs: 0,
  wakeAtMs: Number.POSITIVE_INFINITY,
};

export function connectionStep(state: ConnectionState, event: ConnectionEvent, at: At): Step {
  switch (event.type) {
    case "join":
      return join(state, at);
    case "seat":
      if (!isCurrent(state, event.serial)) return [state, []];
      return open({ ...state, regionId: event.regionId }, at);
    case "refused":
      if (!isCurrent(state, event.serial)) return [state, []];
      return tryAgain(state, event.error, at);
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
      return end(state, { phase: "left", reason: "asked" }, state.activity === "live");
  }
}

function join(state: ConnectionState, at: At): Step {
  if (state.activity !== "none") return [state, []];
  const giveUpAtMs = at.nowMs + JOIN_BUDGET_MS;
  return ask({ ...state, returning: false, attempt: 1, giveUpAtMs });
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
  return [{ ...over, wakeAtMs: NEVER }, [effect]];
}

const NEVER = Number.POSITIVE_INFINITY;

function seeking({ returning, attempt, regionId }: ConnectionState, nextInMs: number): Connection {
  return returning
    ? { phase: "reconnecting", regionId, attempt, nextInMs }
    : { phase: "joining", attempt, nextInMs };
}

function isCurrent(state: ConnectionState, serial: number): boolean {
  return state.activity === "asking" && state.serial === serial;
}

/** The room, or the player's seat in it. */
function isGone(kind: ErrorKind): boolean {
  return kind === "reconnect_expired" || kind === "room_not_found";
}

/** The seat was not reached in time, or its room ended meanwhile: the next one may do. */
function anotherTicketHelps(kind: ErrorKind): boolean {
  return kind.startsWith("ticket_") || kind === "room_not_found";
}
