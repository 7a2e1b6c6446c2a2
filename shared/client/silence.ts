/**
 * What a room's silence means. Judged only by a client that was awake: when a timer comes much later than asked
 * for, the device slept or the tab was throttled, and the count begins anew. Pure.
 *
 * A doubted connection is kept, and the core is asked at the same time where the room is by now: its answer waits
 * for the decision whether the node is gone. So a player whose node vanished without a word is on the way to the next
 * one before the connection is given up, and one whose network only hiccuped loses nothing.
 */
import type { ConnectionState } from "./connection-state.ts";

/** Rooms send something at least every 500 ms, so three were missed. */
export const SUSPECT_AFTER_MS = 1_500;
export const RECONNECT_AFTER_MS = 4_000;
export const LIVENESS_PERIOD_MS = 250;
/** A timer that comes this late was held up by sleep, not by the event loop. */
export const SLEPT_LATE_MS = 1_000;

/** `slept`: nothing can be said. `ask`: doubted, and the core is to be asked now. */
export type Verdict = "slept" | "well" | "doubted" | "ask" | "dead";

export function judgeSilence(state: ConnectionState, nowMs: number): Verdict {
  if (cameLate(state, nowMs)) return "slept";
  const silentMs = nowMs - state.heardAtMs;
  if (silentMs >= RECONNECT_AFTER_MS) return "dead";
  if (silentMs < SUSPECT_AFTER_MS) return "well";
  return !state.asked && nowMs >= state.askAgainAtMs ? "ask" : "doubted";
}

/** Whether the timer that rings now was held up by sleep. */
export function cameLate({ wakeAtMs }: ConnectionState, nowMs: number): boolean {
  return nowMs - wakeAtMs > SLEPT_LATE_MS;
}
