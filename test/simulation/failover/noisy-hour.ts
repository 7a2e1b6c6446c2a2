/**
 * An hour of noisy links: bursts of 5 to 20% loss, up to 800 ms of jitter, nodes that stand still for up to 1.5 s, a
 * core that does. Nobody dies, and so nobody may be taken for dead.
 */
import { Chance } from "../../../shared/chance.testkit.ts";
import { Violation } from "../violation.ts";
import { inflict } from "./faults.ts";
import { type Parts, PRODUCTION } from "./parts.ts";
import { World } from "./world.ts";

const HOUR_MS = 3_600_000;
const BETWEEN_MS_MAX = 4_000;

export interface NoisyHour {
  /** Nodes that were fenced although they lived; the hour ends with the first. */
  readonly falseFailovers: number;
  readonly story: string | undefined;
}

/** Deterministic by its seed. */
export function noisyHour(seed: number, forMs = HOUR_MS, parts: Parts = PRODUCTION): NoisyHour {
  const world = new World({ seed, parts, onlyNoise: true });
  const plan = new Chance(seed);
  const next = () => {
    inflict(world, plan.of(["noise", "noise", "node stands still", "core stands still"] as const));
    world.schedule.after(plan.below(BETWEEN_MS_MAX), next);
  };
  next();
  try {
    world.schedule.runUntil(forMs);
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    return { falseFailovers: 1, story: error.message };
  }
  return { falseFailovers: world.truth.failovers, story: undefined };
}
