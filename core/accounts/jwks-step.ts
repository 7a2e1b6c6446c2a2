/**
 * Whether an issuer's keys are good enough for a token, or must be fetched first. Pure.
 *
 * A key that is not among those we hold may be a new one, so it is worth a fetch; but anybody can send
 * a token with a key id of their own making, so there is at most one fetch a `COOLDOWN_MS`, failed ones
 * included. While the issuer can't be reached, keys that we hold are good for `STALE_MS`: its outage must
 * not become ours.
 */
export interface JwksState {
  /** When the keys that we hold were fetched; undefined before the first. */
  readonly fetchedMs: number | undefined;
  /** When a fetch last began, whatever came of it. */
  readonly triedMs: number | undefined;
}

export const FRESH_MS = 600_000;
export const COOLDOWN_MS = 10_000;
export const STALE_MS = 86_400_000;

/** Use the keys as they are, fetch them first, or refuse: there is nothing to judge by. */
export type JwksAction = "use" | "fetch" | "refuse";

/** @param known whether the token's key is among those we hold */
export function decideJwks(state: JwksState, known: boolean, nowMs: number): JwksAction {
  const { fetchedMs, triedMs } = state;
  const ageMs = fetchedMs === undefined ? Number.POSITIVE_INFINITY : nowMs - fetchedMs;
  if (known && ageMs < FRESH_MS) return "use";
  if (triedMs === undefined || nowMs - triedMs >= COOLDOWN_MS) return "fetch";
  return known && ageMs < STALE_MS ? "use" : "refuse";
}
