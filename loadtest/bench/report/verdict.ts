/** Whether a figure is what it should be. Nobody writes that by hand, so that no page says it of an older run. */
import type { Goal } from "../benchmark.ts";
import { figureAt, number, written } from "./figure.ts";
import type { StoredRun } from "./stored-runs.ts";

export type Outcome = "met" | "missed" | "not measured yet" | "only in a full run";

export interface Verdict {
  readonly goal: Goal;
  /** As it is written; empty when there is none. */
  readonly measured: string;
  readonly outcome: Outcome;
}

/** @param run undefined: not measured yet. @throws when the run lacks the figure */
export function verdictOf(
  benchmark: string,
  goal: Goal,
  run: Pick<StoredRun, "figures" | "quick"> | undefined,
): Verdict {
  if (!run) return { goal, measured: "", outcome: "not measured yet" };
  const value = figureAt(run.figures, goal.figure);
  if (value !== null && typeof value !== "number") {
    throw new Error(`"${benchmark}" has no number "${goal.figure}", for which it has a goal`);
  }
  const measured = written(value);
  if (goal.fullOnly && run.quick) return { goal, measured, outcome: "only in a full run" };
  // What could not be told is no success: a recovery that was not seen, for example.
  return { goal, measured, outcome: value !== null && isMet(goal, value) ? "met" : "missed" };
}

export function isMet({ atLeast, atMost }: Goal, value: number): boolean {
  return (
    value >= (atLeast ?? Number.NEGATIVE_INFINITY) && value <= (atMost ?? Number.POSITIVE_INFINITY)
  );
}

export function boundsOf({ atLeast, atMost }: Goal): string {
  if (atLeast !== undefined && atMost !== undefined)
    return `${number(atLeast)} to ${number(atMost)}`;
  if (atLeast !== undefined) return `at least ${number(atLeast)}`;
  return atMost === 0 ? "none" : `at most ${number(atMost ?? Number.NaN)}`;
}

/** As it stands beside a figure. */
export function remark({ goal, outcome }: Verdict): string {
  const bounds = `goal: ${boundsOf(goal)}`;
  return outcome === "missed" ? `${bounds}, **missed**` : `${bounds}, ${outcome}`;
}
