/** Which part of the ground is on the screen: all of it where it fits, else what is around the player. */
import { HEIGHT, type Point, WIDTH } from "../arena-map.ts";

/** Ground beyond the walls that is shown where there is room, units. */
const MARGIN = 50;
/** Never smaller than this: players must be seen on a telephone too. */
const SCALE_MIN = 0.56;
const SCALE_MAX = 1.25;

export interface Size {
  /** CSS pixels. */
  readonly width: number;
  readonly height: number;
}

export interface Camera {
  /** CSS pixels a unit. */
  readonly scale: number;
  /** The ground's point at the upper left corner. */
  readonly left: number;
  readonly top: number;
  /** Whether the whole ground is in sight. */
  readonly whole: boolean;
}

export function cameraFor(size: Size, focus: Point): Camera {
  const fitting = Math.min(size.width / (WIDTH + 2 * MARGIN), size.height / (HEIGHT + 2 * MARGIN));
  const scale = Math.min(SCALE_MAX, Math.max(SCALE_MIN, fitting));
  return {
    scale,
    left: edge(focus.x, size.width / scale, WIDTH),
    top: edge(focus.y, size.height / scale, HEIGHT),
    whole: fitting >= SCALE_MIN,
  };
}

export function toScreen(camera: Camera, { x, y }: Point): Point {
  return { x: (x - camera.left) * camera.scale, y: (y - camera.top) * camera.scale };
}

/** Where the view begins: around the focus, never further out than the margin. */
function edge(focus: number, seen: number, ground: number): number {
  if (seen >= ground + 2 * MARGIN) return (ground - seen) / 2;
  return Math.min(ground + MARGIN - seen, Math.max(-MARGIN, focus - seen / 2));
}
