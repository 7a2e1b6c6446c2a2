/** Whether a load was served well enough, and if not, what broke. Pure. */

export interface ServiceLevel {
  readonly echoP99Ms: number;
  readonly tickP99Ms: number;
  readonly joinP99Ms: number;
  /** Failures per player, 0 to 1. */
  readonly failuresShare: number;
}

/** What a step showed, from when everybody played. */
export interface Served {
  readonly players: number;
  /** Most at play at once. */
  readonly playing: number;
  /** Undefined: nobody saw an input's effect. */
  readonly echoP99Ms: number | undefined;
  /** Undefined: the region says nothing. */
  readonly tickP99Ms: number | undefined;
  readonly joinP99Ms: number | undefined;
  readonly failures: number;
}

/** How the words end when not everybody played. */
export const NOT_IN = "got in";

/** @returns in words what is not as it should be; empty when all is */
export function broken(level: ServiceLevel, served: Served): string[] {
  const { players, playing, failures } = served;
  const wrong: string[] = [];
  const failuresMax = level.failuresShare * players;
  if (failures > failuresMax) wrong.push(`${failures} failures`);
  if (playing < players - failuresMax) wrong.push(`${playing} of ${players} ${NOT_IN}`);
  const times = [
    ["an input's echo", served.echoP99Ms, level.echoP99Ms],
    ["a tick's lateness", served.tickP99Ms, level.tickP99Ms],
    ["a join", served.joinP99Ms, level.joinP99Ms],
  ] as const;
  for (const [what, ms, mostMs] of times) {
    if (ms === undefined) {
      // Without the operators' port nobody tells of ticks; the echo tells of them as well.
      if (what !== "a tick's lateness") wrong.push(`${what} was not measured`);
    } else if (ms > mostMs) wrong.push(`${what} p99 ${ms.toFixed(0)} ms`);
  }
  return wrong;
}

/** One line, as it is stored beside the limit. */
export function levelText({ echoP99Ms, tickP99Ms, joinP99Ms, failuresShare }: ServiceLevel) {
  return [
    `input echo p99 ≤ ${echoP99Ms} ms`,
    `tick lateness p99 ≤ ${tickP99Ms} ms`,
    `join p99 ≤ ${joinP99Ms} ms`,
    `failures ≤ ${Number((failuresShare * 100).toFixed(3))}%`,
  ].join(", ");
}
