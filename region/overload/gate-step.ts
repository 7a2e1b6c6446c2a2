/**
 * Which level of the ladder a node is at, from what it has to do. Pure: `(state, sample, nowMs) →
 * [state, effects]`; `overload-gate.ts` carries the effects out.
 *
 * Invariants
 * - One rung at a time. A level is entered when one signal's median stood at or above that level's
 *   `enter` for its `HOLD_MS`, counted from the last change of level on: so each rung has time to help
 *   before the next one is taken.
 * - It is left when all signals' medians stayed below that level's `leave` for its `CALM_MS`, counted in the
 *   same way. In between nothing changes, so noise around one threshold does not make it flap, and whatever
 *   happens, a level is not left before its `CALM_MS`.
 * - Monotone: signals that are higher at every moment never lead to a lower level.
 */
import { OverloadLevel } from "../../shared/protocol/overload.ts";
import {
  CALM_MS,
  GAP_MAX_MS,
  HOLD_MS,
  MEDIAN_OF,
  NOTHING_TO_DO,
  type Rung,
  type Sample,
  SHED_PERIOD_MS,
  SIGNALS,
  type Signal,
  THRESHOLDS,
} from "./thresholds.ts";

export interface GateState {
  readonly level: OverloadLevel;
  /** The last `MEDIAN_OF`, the newest last. */
  readonly samples: readonly Sample[];
  readonly sampledAtMs: number;
  /** By signal: for how long it has stood at or above what leads to the next level; absent if it does not. */
  readonly risenMs: Readonly<Partial<Record<Signal, number>>>;
  /** For how long all signals have been below what holds this level; undefined if they are not. */
  readonly calmMs: number | undefined;
  readonly shedAtMs: number;
}

export type GateEffect =
  | {
      readonly type: "level";
      readonly from: OverloadLevel;
      readonly to: OverloadLevel;
      /** What led upward; none leads down. */
      readonly signal: Signal | undefined;
    }
  /** End a few of those who come last. */
  | { readonly type: "shed" };

export const CALM: GateState = {
  level: "calm",
  samples: Array.from({ length: MEDIAN_OF }, () => NOTHING_TO_DO),
  sampledAtMs: 0,
  risenMs: {},
  calmMs: undefined,
  shedAtMs: Number.NEGATIVE_INFINITY,
};

/** @param nowMs monotonic */
export function gateStep(
  state: GateState,
  sample: Sample,
  nowMs: number,
): readonly [GateState, readonly GateEffect[]] {
  const samples = [...state.samples, sample].slice(-MEDIAN_OF);
  const sinceMs = Math.min(GAP_MAX_MS, Math.max(0, nowMs - state.sampledAtMs));
  const seen = standing({ ...state, samples, sampledAtMs: nowMs }, state, sinceMs);
  const [moved, change] = move(seen);
  const [settled, shed] = shedIfDue(moved, nowMs);
  return [settled, [...change, ...shed]];
}

/** What the gate goes by: of each signal the median of the last samples. */
export function mediansOf({ samples }: Pick<GateState, "samples">): Sample {
  const median = (signal: Signal): number => {
    const sorted = samples.map((sample) => sample[signal]).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? 0;
  };
  return {
    loopDelay: median("loopDelay"),
    utilisation: median("utilisation"),
    memory: median("memory"),
    slowReaders: median("slowReaders"),
    outbox: median("outbox"),
  };
}

/** How long each signal stands where it does. @param before what stood there before, if anything */
function standing(
  state: GateState,
  before: Pick<GateState, "risenMs" | "calmMs">,
  sinceMs: number,
): GateState {
  const medians = mediansOf(state);
  const next = above(state.level);
  const risenMs: Partial<Record<Signal, number>> = {};
  for (const signal of SIGNALS) {
    const threshold = next && THRESHOLDS[signal][next];
    if (!threshold || medians[signal] < threshold.enter) continue;
    const stoodMs = before.risenMs[signal];
    risenMs[signal] = stoodMs === undefined ? 0 : stoodMs + sinceMs;
  }
  if (!isCalm(state.level, medians)) return { ...state, risenMs, calmMs: undefined };
  const calmMs = before.calmMs === undefined ? 0 : before.calmMs + sinceMs;
  return { ...state, risenMs, calmMs };
}

function isCalm(level: OverloadLevel, medians: Sample): boolean {
  if (level === "calm") return false;
  return SIGNALS.every((signal) => {
    const threshold = THRESHOLDS[signal][level];
    return threshold === undefined || medians[signal] < threshold.leave;
  });
}

function move(state: GateState): readonly [GateState, readonly GateEffect[]] {
  const next = above(state.level);
  const signal = next && SIGNALS.find((name) => (state.risenMs[name] ?? -1) >= HOLD_MS[next]);
  if (next && signal) return change(state, next, signal);
  if (state.level === "calm" || (state.calmMs ?? -1) < CALM_MS[state.level]) return [state, []];
  return change(state, below(state.level), undefined);
}

/** What stands where with regard to the new level counts from now on. */
function change(
  state: GateState,
  to: OverloadLevel,
  signal: Signal | undefined,
): readonly [GateState, readonly GateEffect[]] {
  const anew = standing({ ...state, level: to }, { risenMs: {}, calmMs: undefined }, 0);
  return [anew, [{ type: "level", from: state.level, to, signal }]];
}

/** Only while it is bad enough to come here: at what merely holds the level nobody more is ended. */
function shedIfDue(state: GateState, nowMs: number): readonly [GateState, readonly GateEffect[]] {
  if (state.level !== "shed" || nowMs < state.shedAtMs + SHED_PERIOD_MS) return [state, []];
  const medians = mediansOf(state);
  const pressed = SIGNALS.some((signal) => {
    const threshold = THRESHOLDS[signal].shed;
    return threshold !== undefined && medians[signal] >= threshold.enter;
  });
  return pressed ? [{ ...state, shedAtMs: nowMs }, [{ type: "shed" }]] : [state, []];
}

function above(level: OverloadLevel): Rung | undefined {
  const { options } = OverloadLevel;
  // The first one is `calm`, which is above none.
  return options[options.indexOf(level) + 1] as Rung | undefined;
}

function below(level: OverloadLevel): OverloadLevel {
  const { options } = OverloadLevel;
  return options[options.indexOf(level) - 1] ?? "calm";
}
