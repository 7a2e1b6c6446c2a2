/**
 * What happens to regions on the day that counts: the one with most seats is lost when its players are most, four
 * more at their own peaks, and three are drained at any time; each for about an hour.
 */
import type { Chance } from "../../shared/chance.testkit.ts";
import type { Plan } from "./capacity.ts";

const LOSSES = 4;
const DRAINS = 3;
const SHORTEST_S = 2_700;
const LONGEST_S = 5_400;

export interface Outage {
  readonly region: number;
  readonly kind: "lost" | "draining";
  readonly fromS: number;
  readonly toS: number;
}

/** @param beginS of the day */
export function planOutages(plan: Plan, beginS: number, chance: Chance): Outage[] {
  const { capacities, peakAtS } = plan;
  const biggest = capacities.indexOf(Math.max(...capacities));
  const others = [...capacities.keys()].filter((region) => region !== biggest);
  const draw = () => others.splice(chance.below(others.length), 1)[0] ?? biggest;
  const outage = (region: number, kind: Outage["kind"], fromS: number): Outage => {
    const toS = fromS + SHORTEST_S + chance.below(LONGEST_S - SHORTEST_S);
    return { region, kind, fromS, toS };
  };
  const lost = [biggest, ...Array.from({ length: LOSSES }, draw)];
  const drained = Array.from({ length: DRAINS }, draw);
  return [
    ...lost.map((region) => outage(region, "lost", beginS + (peakAtS[region] ?? 0))),
    ...drained.map((region) => outage(region, "draining", beginS + chance.below(82_800))),
  ];
}
