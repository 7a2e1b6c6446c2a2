/** What stands for a region in each state: shape and word as well as colour, so that none is needed alone. */
import type { ExplainedRegion } from "../../../shared/protocol/route.ts";

/** `closed`: it runs, and takes nobody all the same; its verdict says why. */
export type Sign = "open" | "closed" | "draining" | "fenced" | "isolated" | "down" | "unknown";

/** In words, in the order of the legend. */
export const SIGN_WORDS: Readonly<Record<Sign, string>> = {
  open: "takes players",
  closed: "takes nobody",
  draining: "draining",
  fenced: "fenced",
  isolated: "cut off",
  down: "down",
  unknown: "not heard of",
};

const CIRCLE = "M-6.5,0a6.5,6.5 0 1,0 13,0a6.5,6.5 0 1,0 -13,0Z";
/** Around the middle, some 14 pixels wide. */
const SHAPES: Readonly<Record<Sign, string>> = {
  open: CIRCLE,
  closed: "M0,-8L8,0L0,8L-8,0Z",
  draining: "M0,-7.5L8,6.5H-8Z",
  fenced: "M-6.5,-6.5H6.5V6.5H-6.5Z",
  isolated: "M-7,-3H7V3H-7Z",
  down: "M-7,-4L-4,-7L0,-3L4,-7L7,-4L3,0L7,4L4,7L0,3L-4,7L-7,4L-3,0Z",
  unknown: CIRCLE,
};
const STAR =
  "M0,-10L2.6,-3.4L9.5,-3.1L4.1,1.3L5.9,8.1L0,4.2L-5.9,8.1L-4.1,1.3L-9.5,-3.1L-2.6,-3.4Z";
const SVG = "http://www.w3.org/2000/svg";

export function signOf({ state, eligible }: Pick<ExplainedRegion, "state" | "eligible">): Sign {
  if (state !== "active") return state;
  return eligible ? "open" : "closed";
}

/** The shape itself, at 0, 0. */
export function drawn(sign: Sign | "you"): SVGPathElement {
  const shape = sign === "you" ? STAR : SHAPES[sign];
  return svg("path", { class: `sign ${sign}`, d: shape });
}

/** The shape as a small picture in a line of text, which says the same. */
export function pictured(sign: Sign | "you"): SVGSVGElement {
  const attributes = { class: "picture", viewBox: "-11 -11 22 22", "aria-hidden": "true" };
  const picture = svg("svg", attributes);
  picture.append(drawn(sign));
  return picture;
}

export function svg<K extends keyof SVGElementTagNameMap>(
  name: K,
  attributes: Readonly<Record<string, string | number>> = {},
  ...children: (Node | string)[]
): SVGElementTagNameMap[K] {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  made.append(...children);
  return made;
}
