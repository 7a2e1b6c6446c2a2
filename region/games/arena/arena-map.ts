/** The ground of the arena, and how one moves on it: the same on the server, in the page and in bots. */

/** Units; a player is 2 × `PLAYER_RADIUS` wide. */
export const WIDTH = 2_000;
export const HEIGHT = 1_200;
export const PLAYER_RADIUS = 18;
/** Units a second at most. */
export const SPEED = 280;
/** Coins' worth that one can carry. */
export const CARRIED_MAX = 20;

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Bank extends Point {
  readonly radius: number;
}

/** Who stands in one banks what they carry. */
export const BANKS: readonly Bank[] = [
  { x: WIDTH / 2, y: 250, radius: 95 },
  { x: 400, y: HEIGHT - 250, radius: 95 },
  { x: WIDTH - 400, y: HEIGHT - 250, radius: 95 },
];

/** At most as long as 1: pushing a stick into a corner makes nobody faster. */
export function directionOf(x: number, y: number): Point {
  const length = Math.hypot(x, y);
  return length > 1 ? { x: x / length, y: y / length } : { x, y };
}

/** Where one is after moving that way for `dtMs`, within the bounds. */
export function move(from: Point, direction: Point, dtMs: number): Point {
  const distance = (SPEED * dtMs) / 1000;
  const { x, y } = directionOf(direction.x, direction.y);
  return {
    x: clamp(from.x + x * distance, PLAYER_RADIUS, WIDTH - PLAYER_RADIUS),
    y: clamp(from.y + y * distance, PLAYER_RADIUS, HEIGHT - PLAYER_RADIUS),
  };
}

export function isWithin(point: Point, centre: Point, radius: number): boolean {
  return Math.hypot(point.x - centre.x, point.y - centre.y) <= radius;
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}
