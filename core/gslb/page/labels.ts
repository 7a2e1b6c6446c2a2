/**
 * Finds a place for each name on a map, so that none covers another, a sign or the way: beside its sign, and
 * further off where it is crowded. Those that come first choose first. Pure.
 */
export interface Anchor {
  readonly x: number;
  readonly y: number;
  /** Of the sign, with a little air around it. */
  readonly radius: number;
  /** Of the label, in pixels; a guess, since fonts differ. */
  readonly width: number;
  readonly height: number;
}

export interface Placed {
  /** Where the text begins, has its middle or ends, so that a wrong guess of its width shows on its far side. */
  readonly x: number;
  readonly align: "start" | "middle" | "end";
  /** The label's upper edge. */
  readonly y: number;
  /** The point of the label to which a line must lead, when it stands so far off. */
  readonly leader: Point | undefined;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const WAY_RADIUS = 2;
const GAPS = [2, 10, 22, 38, 58];
/** From this gap on a line leads from the sign to its name. */
const LEADER_GAP = 20;
/** Right first: names are read from their sign on. Then left, below, above, and aslant. */
const DIRECTIONS = [
  [1, 0],
  [-1, 0],
  [0, 1],
  [0, -1],
  [1, 1],
  [1, -1],
  [-1, 1],
  [-1, -1],
] as const;

/** @param way points of a line that names should not cover */
export function placeLabels(
  anchors: readonly Anchor[],
  size: { readonly width: number; readonly height: number },
  way: readonly Point[] = [],
): Placed[] {
  const signs = anchors.map((anchor) => squareAt(anchor, anchor.radius));
  const taken: Box[] = [...signs, ...way.map((point) => squareAt(point, WAY_RADIUS))];
  return anchors.map((anchor) => {
    const candidates = GAPS.flatMap((gap) => DIRECTIONS.map((way) => boxAt(anchor, gap, way)));
    const free = candidates.find(
      (box) => isInside(box, size) && !taken.some((other) => overlaps(box, other)),
    );
    const chosen = free ?? boxAt(anchor, 0, [1, 0]);
    taken.push(chosen);
    const leader = chosen.gap >= LEADER_GAP ? nearest(chosen, anchor) : undefined;
    return { ...textOf(chosen), y: chosen.y, leader };
  });
}

function textOf({ x, width, right }: ReturnType<typeof boxAt>): Pick<Placed, "x" | "align"> {
  if (right > 0) return { x, align: "start" };
  return right < 0 ? { x: x + width, align: "end" } : { x: x + width / 2, align: "middle" };
}

function squareAt({ x, y }: Point, radius: number): Box {
  return { x: x - radius, y: y - radius, width: 2 * radius, height: 2 * radius };
}

/** The point of a box that is nearest to one outside. */
function nearest({ x, y, width, height }: Box, to: Point): Point {
  return {
    x: Math.max(x, Math.min(x + width, to.x)),
    y: Math.max(y, Math.min(y + height, to.y)),
  };
}

function boxAt(
  { x, y, radius, width, height }: Anchor,
  gap: number,
  [right, down]: readonly [number, number],
): Box & { readonly gap: number; readonly right: number } {
  const reach = radius + gap;
  const middleX = x + right * (reach + width / 2);
  const middleY = y + down * (reach + height / 2);
  return { x: middleX - width / 2, y: middleY - height / 2, width, height, gap, right };
}

function overlaps(a: Box, b: Box): boolean {
  const beside = a.x + a.width <= b.x || b.x + b.width <= a.x;
  const below = a.y + a.height <= b.y || b.y + b.height <= a.y;
  return !beside && !below;
}

function isInside(box: Box, { width, height }: { width: number; height: number }): boolean {
  return box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height;
}
