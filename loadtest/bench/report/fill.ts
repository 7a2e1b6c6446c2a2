/**
 * A benchmark's page is prose with placeholders for what a run gives:
 *
 *     {{cpuPerPlayerUs.meridian}}   the figure, written as its size deserves
 *     {{rtoP99Ms:s}}                the same in another way, see figure.ts
 *     {{goal cpuRatio}}             the goal, and whether it is met
 *
 * Its first line is the heading. A name that the run does not have is an error: it was renamed, or never was.
 */
import type { Benchmark } from "../benchmark.ts";
import { figureAt, isFigureFormat, written } from "./figure.ts";
import type { StoredRun } from "./stored-runs.ts";
import { remark, verdictOf } from "./verdict.ts";

const PLACEHOLDER = /\{\{([^{}]*)\}\}/g;
const GOAL = /^goal (\S+)$/;
const FIGURE = /^([\w.]+)(?::(\S+))?$/;
const NOT_MEASURED = "–";

export interface Filling {
  readonly benchmark: Pick<Benchmark, "name" | "goals">;
  /** Undefined: not measured yet, and no figure is shown. */
  readonly run: Pick<StoredRun, "figures" | "quick"> | undefined;
}

/** @throws an error that names the benchmark and the placeholder */
export function fill(template: string, filling: Filling): string {
  return template.replace(PLACEHOLDER, (whole, inner: string) => {
    try {
      return filled(inner, filling);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new Error(`the page of "${filling.benchmark.name}" has ${whole}: ${why}`);
    }
  });
}

function filled(inner: string, { benchmark, run }: Filling): string {
  const goalOf = GOAL.exec(inner)?.[1];
  if (goalOf !== undefined) {
    const goal = benchmark.goals?.find(({ figure }) => figure === goalOf);
    if (!goal) throw new Error(`there is no goal for "${goalOf}"`);
    return remark(verdictOf(benchmark.name, goal, run));
  }
  const [, path, format] = FIGURE.exec(inner) ?? [];
  if (path === undefined) throw new Error("that is not a placeholder");
  if (format !== undefined && !isFigureFormat(format)) {
    throw new Error(`there is no format "${format}"`);
  }
  if (!run) return NOT_MEASURED;
  const value = figureAt(run.figures, path);
  if (value === undefined) throw new Error(`its run has no "${path}"`);
  return written(value, format);
}
