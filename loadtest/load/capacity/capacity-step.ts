/**
 * Which load is tried next, and when the limit is known. Pure.
 *
 * The first round doubles the load until a service level breaks, and halves what lies between the last load that held
 * and the first that broke. Each further round tries the lowest limit so far: when it holds the round is over, for a
 * higher limit would change nothing; when it breaks, what lies below is halved. So the limit held in each round.
 */

export interface CapacityPlan {
  /** Players of the first load. */
  readonly first: number;
  /** Never more. */
  readonly most: number;
  /** Rounds; each ends with a limit. */
  readonly repeats: number;
  /** How far the limit may lie below the load that broke, as a share of that. */
  readonly resolution: number;
}

export interface CapacitySearch {
  readonly plan: CapacityPlan;
  /** Of the rounds that are over. */
  readonly limits: readonly number[];
  /** In this round: the most that held, and the fewest that broke. */
  readonly held: number;
  readonly broke: number | undefined;
  readonly steps: number;
}

export type CapacityNext =
  | { readonly kind: "try"; readonly players: number }
  | {
      readonly kind: "limit";
      /** 0: not even one player was served well. */
      readonly players: number;
      /** Whether anything broke at all: if not, the region may take more. */
      readonly broke: boolean;
    };

const GROWTH = 2;

export function beginSearch(plan: CapacityPlan): CapacitySearch {
  return { plan, limits: [], held: 0, broke: undefined, steps: 0 };
}

export function nextOf({ plan, limits, held, broke }: CapacitySearch): CapacityNext {
  if (limits.length === plan.repeats) {
    const players = lowest(limits);
    return { kind: "limit", players, broke: players < plan.most };
  }
  return { kind: "try", players: candidate({ plan, limits, held, broke }) };
}

/** @param isHeld whether the load that `nextOf` named kept the service level */
export function stepOf(search: CapacitySearch, isHeld: boolean): CapacitySearch {
  const { plan, limits } = search;
  const tried = candidate(search);
  const held = isHeld ? tried : search.held;
  const broke = isHeld ? search.broke : tried;
  const steps = search.steps + 1;
  const isOver =
    broke === undefined
      ? held === plan.most || limits.length > 0
      : broke - held <= Math.max(1, Math.floor(broke * plan.resolution));
  if (!isOver) return { plan, limits, held, broke, steps };
  return { plan, limits: [...limits, held], held: 0, broke: undefined, steps };
}

/** What no search takes more steps than. */
export function stepsMaxOf({ first, most, repeats, resolution }: CapacityPlan): number {
  const doublings = Math.ceil(Math.log2(most / first)) + 1;
  // Halving ends within the resolution of a break, or at the first whole number below it.
  const halvings = Math.ceil(Math.log2(most)) + Math.ceil(Math.log2(1 / resolution)) + 1;
  return doublings + halvings + (repeats - 1) * (1 + halvings);
}

function candidate({
  plan,
  limits,
  held,
  broke,
}: Pick<CapacitySearch, "plan" | "limits" | "held" | "broke">): number {
  if (broke !== undefined) return Math.floor((held + broke) / 2);
  if (held > 0) return Math.min(plan.most, held * GROWTH);
  // A round at 0 tries one player: that a limit of 0 is one has to be seen each time, too.
  return limits.length > 0 ? Math.max(1, lowest(limits)) : plan.first;
}

function lowest(limits: readonly number[]): number {
  return Math.min(...limits);
}
