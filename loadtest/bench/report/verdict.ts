/** Whether a figure is what it should be. Nobody writes that by hand, so that no page says it of an older run. */
import type { Goal } from "../benchmark.ts";
import { figureAt, written } from "./figure.ts";
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
  const measured = value === null ? written(value) : inUnit(written(value), goal);
  if (goal.fullOnly && run.quick) return { goal, measured, outcome: "only in a full run" };
  // What could not be told is no success: a recovery that was not seen, for example.
  return { goal, measured, outcome: value !== null && isMet(goal, value) ? "met" : "missed" };
}

export function isMet({ atLeast, atMost }: Goal, value: number): boolean {
  return (
    value >= (atLeast ?? Number.NEGATIVE_INFINITY) && value <= (atMost ?? Number.POSITIVE_INFINITY)
  );
}

export function boundsOf(goal: Goal): string {
  const { atLeast, atMost } = goal;
  if (atMost === 0) return "none";
  const [least, most] = [atLeast, atMost].map((bound) => bound?.toLocaleString("en-US"));
  const words = [least && `at least ${least}`, most && `at most ${most}`].filter(Boolean);
  return inUnit(words.join(" and "), goal);
}

function inUnit(text: string, { unit }: Goal): string {
  if (unit === undefined) return text;
  return unit === "%" ? `${text}%` : `${text} ${unit}`;
}

/** As it stands beside a figure. */
export function remark({ goal, outcome }: Verdict): string {
  const bounds = `goal: ${boundsOf(goal)}`;
  return outcome === "missed" ? `${bounds}, **missed**` : `${bounds}, ${outcome}`;
}
