/**
 * Where the session was, where it is by now, and whether this player gets there. Pure.
 *
 * A node that the core sends the player to, and that they can't connect to, is *unreachable*: the core is told so with
 * each further question. When it is so for `UNREACHABLE_AFTER_MS` and the core still names it, it lives for others
 * and not for this player, who then gets a seat in another region.
 */
import type { ConnectionState, Effect } from "./connection-state.ts";

export const UNREACHABLE_AFTER_MS = 5_000;

/** What a browser says of a connection that could not be opened. */
const NO_WORD_CODES: readonly number[] = [1005, 1006];

/** The place that a connection broke at. */
export interface Left {
  readonly regionId: string;
  /** When something of it was heard last. */
  readonly sinceMs: number;
}

export interface Unreachable {
  readonly nodeId: string;
  /** When the first attempt that failed began. */
  readonly sinceMs: number;
}

/** Remembers where the connection that broke was. */
export function leaveBehind(state: ConnectionState): ConnectionState {
  return { ...state, left: { regionId: state.regionId, sinceMs: state.heardAtMs } };
}

/** Whether the seat that is being taken is in another region than the one before. */
export function isMoving({ left, regionId }: ConnectionState): boolean {
  return left !== undefined && left.regionId !== regionId;
}

/** To be told when the player has arrived. */
export function moveOf(state: ConnectionState, nowMs: number): Effect[] {
  const { left, regionId, returning } = state;
  if (!left || !isMoving(state)) return [];
  const tookMs = nowMs - left.sinceMs;
  return [
    { type: "moved", moved: { from: left.regionId, to: regionId, tookMs, sameRoom: returning } },
  ];
}

/** An opening failed; a close that says why came from the node, which is there then. */
export function notReached(
  state: ConnectionState,
  close: { readonly code: number; readonly reason: string },
): ConnectionState {
  const heard = close.reason !== "" || !NO_WORD_CODES.includes(close.code);
  if (!state.returning || heard) return { ...state, unreachable: undefined };
  const { nodeId, openedAtMs: sinceMs, unreachable } = state;
  if (unreachable?.nodeId === nodeId) return state;
  return { ...state, unreachable: { nodeId, sinceMs } };
}

/** Whether a seat at that node is of no use to this player. */
export function isCutOff({ unreachable }: ConnectionState, nodeId: string, nowMs: number): boolean {
  if (unreachable?.nodeId !== nodeId) return false;
  return nowMs - unreachable.sinceMs >= UNREACHABLE_AFTER_MS;
}
