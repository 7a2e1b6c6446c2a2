/**
 * What becomes of a refresh token that someone presents. Pure.
 *
 * Each token is used once and gives its successor. A token presented again is a theft, and ends the
 * whole family, with one exception: an answer can get lost. So for `graceMs` after its use the same
 * device gets the same successor once more, as long as nobody has used that one.
 */
export interface RefreshState {
  readonly device: string;
  readonly expiresMs: number;
  readonly usedMs: number | undefined;
  readonly revoked: boolean;
  /** Whether the successor was itself used. */
  readonly successorUsed: boolean;
}

export type RefreshOutcome =
  /** First use: hand out a successor. */
  | "rotate"
  /** The answer was lost: hand out the same successor again. */
  | "repeat"
  /** A theft: end the family. */
  | "reused"
  /** Unknown, expired or revoked. */
  | "refused";

export function decideRefresh(
  state: RefreshState | undefined,
  presented: { readonly device: string; readonly nowMs: number; readonly graceMs: number },
): RefreshOutcome {
  if (!state || state.revoked || presented.nowMs >= state.expiresMs) return "refused";
  if (state.usedMs === undefined) return "rotate";
  const withinGrace = presented.nowMs - state.usedMs <= presented.graceMs;
  const sameDevice = presented.device === state.device;
  return withinGrace && sameDevice && !state.successorUsed ? "repeat" : "reused";
}
