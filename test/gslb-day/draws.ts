/** Draws from distributions other than the even one. */
import type { Chance } from "../../shared/chance.testkit.ts";

/** Of mean 0 and deviation 1, by Box and Muller. */
export function normal(chance: Chance): number {
  const radius = Math.sqrt(-2 * Math.log(1 - chance.float()));
  return radius * Math.cos(2 * Math.PI * chance.float());
}

/** Half of the draws are below `median`; about one in six is above `median · e^sigma`. */
export function logNormal(chance: Chance, median: number, sigma: number): number {
  return median * Math.exp(sigma * normal(chance));
}

export function exponential(chance: Chance, mean: number): number {
  return -mean * Math.log(1 - chance.float());
}
