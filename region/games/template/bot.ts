/**
 * How a bot plays: it reaches for the star and misses now and then. Pure: what it sees and chance
 * in, the message that it sends out.
 */
import { type Chance, HEIGHT, type Point, STAR_RADIUS, WIDTH } from "./template-rules.ts";
import type { TemplateState } from "./template-state.ts";

/** How often a bot is meant to look and decide. */
export const LOOK_EVERY_MS = 600;

/** Looks that lead to nothing, as people's do. */
const IDLE_CHANCE = 0.5;
/** At most this far from the star's middle, as a share of its radius: above 1 is a miss. */
const AIM = 1.3;

export interface Decision {
  readonly type: "catch";
  readonly payload: Point;
}

export function decide(state: TemplateState, chance: Chance): Decision | undefined {
  if (chance() < IDLE_CHANCE) return undefined;
  const angle = chance() * 2 * Math.PI;
  const away = chance() * AIM * STAR_RADIUS;
  const x = within(state.starX + Math.cos(angle) * away, WIDTH);
  const y = within(state.starY + Math.sin(angle) * away, HEIGHT);
  return { type: "catch", payload: { x, y } };
}

function within(value: number, max: number): number {
  return Math.min(max, Math.max(0, value));
}
