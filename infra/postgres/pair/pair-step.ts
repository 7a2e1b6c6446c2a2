/**
 * What to do next about a primary and its standby, as a pure step: what was seen, and what is durably marked,
 * go in; at most one effect comes out. Whoever carries it out looks anew before the next step.
 *
 * The invariant: **no acknowledged commit is ever missing from what is promoted without a person's word.**
 * - The mark `promotable` is taken back before anything lets the primary acknowledge alone: before it is told not
 *   to wait, before it is started (what it had committed and not replicated is visible then), before
 *   the standby's data is thrown away.
 * - It is given only when commits wait for the standby, every server process was seen to know it (`settle`), and
 *   the standby has flushed all that was written until then.
 * - There is one primary at a time: a promotion is marked, under the next generation, when the former
 *   primary's process has ended, and data of an earlier generation is never started, only copied anew.
 */
import { type MemberName, otherMember, type PairMark } from "./mark.ts";

/** What the primary says, or does not. */
export type PrimarySeen =
  | { readonly is: "down"; readonly keptAway: boolean }
  /** Its process is there and did not answer in time. */
  | { readonly is: "silent" }
  /** It is a standby still: its promotion is not done. */
  | { readonly is: "recovering" }
  | ({ readonly is: "serving" } & Serving);

export interface Serving {
  /** Whether commits are told to wait for the standby. */
  readonly waits: boolean;
  /** How far its log is on its own disk. */
  readonly walBytes: number;
  /** The standby, while it is connected. */
  readonly standby: { readonly isSync: boolean; readonly flushedBytes: number } | undefined;
  /** The log that the standby needs next is not kept any more. */
  readonly slotLost: boolean;
}

export interface StandbySeen {
  readonly process: "down" | "up" | "building";
  /** Its data was copied in this generation, and whole. */
  readonly usable: boolean;
  readonly keptAway: boolean;
}

export interface Seen {
  readonly nowMs: number;
  readonly primary: PrimarySeen;
  readonly standby: StandbySeen;
}

export type PairEffect =
  | { readonly type: "write_mark"; readonly mark: PairMark }
  /** Starts the primary, with commits that do not wait. */
  | { readonly type: "start_primary"; readonly member: MemberName }
  /** Ends a member's process, so that it can't do anything more. */
  | { readonly type: "fence"; readonly member: MemberName }
  | { readonly type: "promote"; readonly member: MemberName }
  /** Raises the core's term when the database is not the one it was, then lets it be found. */
  | { readonly type: "announce"; readonly member: MemberName }
  | { readonly type: "set_waits"; readonly on: boolean }
  /** Makes sure that all of the primary's processes know that commits wait. */
  | { readonly type: "settle" }
  | { readonly type: "build_standby"; readonly member: MemberName }
  | { readonly type: "start_standby"; readonly member: MemberName };

export interface PairState {
  /** Whether this manager has taken back what the last one may have marked. */
  readonly begun: boolean;
  readonly silentSinceMs: number | undefined;
  readonly lostSinceMs: number | undefined;
  /** How far the standby had flushed, and since when it has not got any further. */
  readonly flushed: { readonly bytes: number; readonly sinceMs: number } | undefined;
  /** The log's end when all processes knew that commits wait. */
  readonly settledBytes: number | undefined;
  readonly announced: boolean;
  /** Not to be tried again sooner. */
  readonly primaryRetryMs: number;
  readonly standbyRetryMs: number;
  readonly failuresInARow: number;
}

export interface PairLimits {
  /** A primary that is silent for so long is ended when its standby may follow. */
  readonly silentMs: number;
  /** So long commits wait for a standby that may be lost. */
  readonly lostMs: number;
  /** A standby's process that is there and not connected for so long is started anew. */
  readonly stalledMs: number;
  /** A standby that lags by more is not waited for yet. */
  readonly closeBytes: number;
  readonly retryMs: number;
  readonly retryMaxMs: number;
}

export const PAIR_LIMITS: PairLimits = {
  silentMs: 1_500,
  lostMs: 2_500,
  stalledMs: 10_000,
  closeBytes: 16 * 1024 * 1024,
  retryMs: 1_000,
  retryMaxMs: 30_000,
};

export const PAIR_AT_START: PairState = {
  begun: false,
  silentSinceMs: undefined,
  lostSinceMs: undefined,
  flushed: undefined,
  settledBytes: undefined,
  announced: false,
  primaryRetryMs: 0,
  standbyRetryMs: 0,
  failuresInARow: 0,
};

export interface Decision {
  readonly state: PairState;
  readonly effect: PairEffect | undefined;
}

export function decide(
  before: PairState,
  seen: Seen,
  mark: PairMark,
  limits: PairLimits = PAIR_LIMITS,
): Decision {
  const state = observed(before, seen);
  const none: Decision = { state, effect: undefined };
  const doing = (effect: PairEffect): Decision => ({ state, effect });
  if (!state.begun) {
    // The primary is not started yet, and whatever it has is visible once it is.
    const begun = { ...state, begun: true };
    if (!mark.promotable) return decide(begun, seen, mark, limits);
    return { state, effect: notPromotable(mark) };
  }
  // A former primary, or half of a copy: it must not run beside the present one.
  if (seen.standby.process === "up" && !seen.standby.usable) {
    return doing({ type: "fence", member: otherMember(mark.primary) });
  }
  switch (seen.primary.is) {
    case "down":
      if (mark.promotable) return doing({ type: "write_mark", mark: promoted(mark) });
      if (seen.primary.keptAway || seen.nowMs < state.primaryRetryMs) return none;
      return doing({ type: "start_primary", member: mark.primary });
    case "silent":
      if (!mark.promotable || sinceMs(state.silentSinceMs, seen) < limits.silentMs) return none;
      return doing({ type: "fence", member: mark.primary });
    case "recovering":
      if (seen.nowMs < state.primaryRetryMs) return none;
      return doing({ type: "promote", member: mark.primary });
    case "serving":
      if (!state.announced && seen.nowMs >= state.primaryRetryMs) {
        return doing({ type: "announce", member: mark.primary });
      }
      return standbyStep(state, { ...seen, primary: seen.primary }, mark, limits);
  }
}

/** What an effect that was carried out, or failed, leaves behind. */
export function carriedOut(
  state: PairState,
  effect: PairEffect,
  { settledBytes }: { readonly settledBytes?: number | undefined } = {},
): PairState {
  const next = { ...state, failuresInARow: 0 };
  switch (effect.type) {
    case "write_mark":
      return { ...next, begun: true };
    case "announce":
      return { ...next, announced: true };
    case "settle":
      return { ...next, settledBytes };
    case "set_waits":
    case "build_standby":
      return { ...next, settledBytes: undefined };
    case "start_primary":
    case "promote":
      return { ...next, settledBytes: undefined, announced: false };
    default:
      return next;
  }
}

export function failed(
  state: PairState,
  effect: PairEffect,
  nowMs: number,
  { retryMs, retryMaxMs }: PairLimits = PAIR_LIMITS,
): PairState {
  const delayMs = Math.min(retryMs * 2 ** Math.min(state.failuresInARow, 10), retryMaxMs);
  const next = { ...state, failuresInARow: state.failuresInARow + 1 };
  const atMs = nowMs + delayMs;
  const isStandby = effect.type === "build_standby" || effect.type === "start_standby";
  return isStandby ? { ...next, standbyRetryMs: atMs } : { ...next, primaryRetryMs: atMs };
}

function standbyStep(
  state: PairState,
  seen: Seen & { readonly primary: Serving },
  mark: PairMark,
  limits: PairLimits,
): Decision {
  const { primary, standby, nowMs } = seen;
  const doing = (effect: PairEffect): Decision => ({ state, effect });
  const none: Decision = { state, effect: undefined };
  const member = otherMember(mark.primary);
  const lostMs = standby.process === "up" ? sinceMs(state.lostSinceMs, seen) : Infinity;
  if (!primary.standby || state.lostSinceMs !== undefined) {
    if (mark.promotable) return lostMs < limits.lostMs ? none : doing(notPromotable(mark));
    if (primary.waits && (lostMs >= limits.lostMs || !standby.usable)) {
      return doing({ type: "set_waits", on: false });
    }
    if (standby.process === "building") return none;
    if (standby.process === "up") {
      const stalled = primary.slotLost || lostMs >= limits.stalledMs;
      return stalled ? doing({ type: "fence", member }) : none;
    }
    if (standby.keptAway || nowMs < state.standbyRetryMs) return none;
    const resumes = standby.usable && !primary.slotLost;
    return doing({ type: resumes ? "start_standby" : "build_standby", member });
  }
  const { isSync, flushedBytes } = primary.standby;
  if (!primary.waits) {
    const isClose = primary.walBytes - flushedBytes <= limits.closeBytes;
    return isClose && !mark.promotable ? doing({ type: "set_waits", on: true }) : none;
  }
  if (!isSync || mark.promotable) return none;
  if (state.settledBytes === undefined) return doing({ type: "settle" });
  if (flushedBytes < state.settledBytes) return none;
  return doing({ type: "write_mark", mark: { ...mark, promotable: true } });
}

function observed(before: PairState, { primary, nowMs }: Seen): PairState {
  const silentSinceMs = primary.is === "silent" ? (before.silentSinceMs ?? nowMs) : undefined;
  if (primary.is !== "serving") {
    const announced = before.announced && primary.is === "silent";
    return { ...before, silentSinceMs, announced, lostSinceMs: undefined, flushed: undefined };
  }
  const flushed = progress(before, primary, nowMs);
  const isBehind = flushed !== undefined && flushed.bytes < primary.walBytes;
  // One that has all there is may stand still: nobody waits for it.
  const stuckSinceMs = isBehind && flushed.sinceMs < nowMs ? flushed.sinceMs : undefined;
  const lostSinceMs = primary.standby ? stuckSinceMs : (before.lostSinceMs ?? nowMs);
  const settledBytes = primary.waits ? before.settledBytes : undefined;
  return { ...before, silentSinceMs, lostSinceMs, flushed, settledBytes };
}

function progress(before: PairState, { standby, walBytes }: Serving, nowMs: number) {
  if (!standby) return undefined;
  const bytes = standby.flushedBytes;
  const stands = before.flushed?.bytes === bytes && bytes < walBytes;
  return { bytes, sinceMs: stands ? (before.flushed?.sinceMs ?? nowMs) : nowMs };
}

function notPromotable(mark: PairMark): PairEffect {
  return { type: "write_mark", mark: { ...mark, promotable: false } };
}

/** Without a standby until one is made anew from the new primary. */
export function promoted({ primary, generation }: PairMark): PairMark {
  return { primary: otherMember(primary), generation: generation + 1, promotable: false };
}

function sinceMs(at: number | undefined, { nowMs }: Seen): number {
  return at === undefined ? 0 : nowMs - at;
}
