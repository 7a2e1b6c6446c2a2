/**
 * What happens to regions on the day that counts: the one with most seats is lost when its players are most, four
 * more at their own peaks, and three are drained at any time; each for about an hour.
 *
 * Headroom is planned for one region at a time: a loss that would fall into another's waits for its end
 * (`"apart"`). `"together"` lets them overlap, as when one cause takes several.
 */
import type { Chance } from "../../shared/chance.testkit.ts";
import type { Plan } from "./capacity.ts";

const LOSSES = 4;
const DRAINS = 3;
const SHORTEST_S = 2_700;
const LONGEST_S = 5_400;
/** The latest time of the day at which a drain begins. */
const DRAIN_LATEST_S = 82_800;

export type Losses = "apart" | "together";

export interface Outage {
  readonly region: number;
  readonly kind: "lost" | "draining";
  readonly fromS: number;
  readonly toS: number;
}

export function isLosses(text: string): text is Losses {
  return text === "apart" || text === "together";
}

/** @param beginS of the day */
export function planOutages(
  plan: Plan,
  { beginS, losses }: { readonly beginS: number; readonly losses: Losses },
  chance: Chance,
): Outage[] {
  const { capacities, peakAtS } = plan;
  const biggest = capacities.indexOf(Math.max(...capacities));
  const others = [...capacities.keys()].filter((region) => region !== biggest);
  const draw = () => others.splice(chance.below(others.length), 1)[0] ?? biggest;
  const lengthS = () => SHORTEST_S + chance.below(LONGEST_S - SHORTEST_S);
  const atPeak = (region: number): Outage => {
    const fromS = beginS + (peakAtS[region] ?? 0);
    return { region, kind: "lost", fromS, toS: fromS + lengthS() };
  };
  const lost = [atPeak(biggest)];
  for (const outage of Array.from({ length: LOSSES }, () => atPeak(draw()))) {
    lost.push(losses === "together" ? outage : after(outage, lost));
  }
  const drained = Array.from({ length: DRAINS }, (): Outage => {
    const fromS = beginS + chance.below(DRAIN_LATEST_S);
    return { region: draw(), kind: "draining", fromS, toS: fromS + lengthS() };
  });
  return [...lost, ...drained];
}

/** The same outage, put off until none of the others is under way. */
function after(outage: Outage, others: readonly Outage[]): Outage {
  const other = others.find(({ fromS, toS }) => outage.fromS < toS && outage.toS > fromS);
  if (!other) return outage;
  const lateS = other.toS - outage.fromS;
  return after({ ...outage, fromS: other.toS, toS: outage.toS + lateS }, others);
}
