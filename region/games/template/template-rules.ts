/**
 * The rules: a star lies on the field, and whoever catches it first scores. Plain steps on the
 * state.
 */
import { TemplatePlayer, type TemplateState } from "./template-state.ts";

/** As in the `viewBox` of the page. */
export const WIDTH = 800;
export const HEIGHT = 500;
export const STAR_RADIUS = 30;
export const STAR_WORTH = 1;
/** A star that nobody catches moves on after this. */
export const STAR_STAYS_MS = 4_000;

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Answers a number from 0 to 1 (exclusive). */
export type Chance = () => number;

export function enter(state: TemplateState, sessionId: string, name: string): void {
  state.players.set(sessionId, new TemplatePlayer({ name }));
}

export function leave(state: TemplateState, sessionId: string): void {
  state.players.delete(sessionId);
}

export function moveStar(state: TemplateState, chance: Chance): void {
  state.starX = STAR_RADIUS + Math.floor(chance() * (WIDTH - 2 * STAR_RADIUS));
  state.starY = STAR_RADIUS + Math.floor(chance() * (HEIGHT - 2 * STAR_RADIUS));
}

/** @returns whether the star was there */
export function catchStar(
  state: TemplateState,
  sessionId: string,
  at: Point,
  chance: Chance,
): boolean {
  const player = state.players.get(sessionId);
  if (!player || Math.hypot(at.x - state.starX, at.y - state.starY) > STAR_RADIUS) return false;
  player.score += STAR_WORTH;
  moveStar(state, chance);
  return true;
}
