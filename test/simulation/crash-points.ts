/** Where a node or the core may die: between any two things that it does. A test goes through all of them. */

export const NODE_CRASH_POINTS = [
  "before append",
  "after append, before its answer",
  "after the append's answer",
  "before send",
  "after apply, before its answer",
  "after the batch's answer, before trim",
  "after trim",
  "between release marker and append",
  "while a load is under way",
  "after a grant",
  "while a stream is taken over",
  "before the close of a taken-over stream",
  "after close, before its answer",
  "between close and forget",
  "after forget, before open",
  "before a value operation",
  "after a value operation, before its answer",
] as const;

export const CORE_CRASH_POINTS = [
  "core: before commit",
  "core: after commit, before its answer",
] as const;

export type NodeCrashPoint = (typeof NODE_CRASH_POINTS)[number];
export type CoreCrashPoint = (typeof CORE_CRASH_POINTS)[number];
export type CrashPoint = NodeCrashPoint | CoreCrashPoint;

export const CRASH_POINTS: readonly CrashPoint[] = [...NODE_CRASH_POINTS, ...CORE_CRASH_POINTS];

export interface PlannedCrash {
  readonly point: CrashPoint;
  /** At the how manieth time that it is passed. */
  readonly pass: number;
}

/** Counts who passes where, and says when it is time to die. */
export class CrashPlan {
  readonly #planned: readonly PlannedCrash[];
  readonly #passes = new Map<CrashPoint, number>();
  readonly crashed: CrashPoint[] = [];
  enabled = true;

  constructor(planned: readonly PlannedCrash[]) {
    this.#planned = planned;
  }

  strikes(point: CrashPoint): boolean {
    if (!this.enabled) return false;
    const pass = (this.#passes.get(point) ?? 0) + 1;
    this.#passes.set(point, pass);
    const strikes = this.#planned.some((one) => one.point === point && one.pass === pass);
    if (strikes) this.crashed.push(point);
    return strikes;
  }
}
