/** The map: land, the player, the regions with their signs and names, and the way to the chosen one. */
import { geoGraticule10, geoInterpolate, geoPath } from "d3-geo";
import { feature } from "topojson-client";
import type { GeometryCollection, Topology } from "topojson-specification";
import land from "world-atlas/land-110m.json" with { type: "json" };
import type { ExplainedRoute } from "../../../shared/protocol/route.ts";
import { type Anchor, type Point, placeLabels } from "./labels.ts";
import { projectionOf, type Size, type Spot } from "./projection.ts";
import { drawn, type Sign, signOf, svg } from "./signs.ts";
import { milliseconds } from "./words.ts";

/** The file's own form, of which TypeScript knows only numbers and strings. */
type LandTopology = Topology<{ land: GeometryCollection }>;

const LAND = feature(land as unknown as LandTopology, "land");
const CHARACTER_WIDTH = 7.6;
const LINE_HEIGHT = 15;
const HALO_RADIUS = 13;
/** Of a sign or its halo, with a little air. */
const SIGN_SPACE = 10;
const HALO_SPACE = HALO_RADIUS + 2;
/** Of the way, between which names find no place. */
const WAY_POINTS = 48;

interface Shown {
  readonly sign: Sign | "you";
  readonly at: readonly [number, number];
  readonly lines: readonly string[];
  readonly chosen: boolean;
}

export class WorldMap {
  readonly #root: SVGSVGElement;
  /** Changes only with the extent. */
  readonly #ground = svg("g", { class: "ground" });
  readonly #top = svg("g");
  #route: ExplainedRoute | undefined;
  #wholeWorld = false;
  #drawnGround = "";
  #drawnTop = "";

  constructor(root: SVGSVGElement) {
    this.#root = root;
    root.append(this.#ground, this.#top);
    new ResizeObserver(() => this.#draw()).observe(root);
  }

  show(route: ExplainedRoute): void {
    this.#route = route;
    this.#draw();
  }

  extend(wholeWorld: boolean): void {
    this.#wholeWorld = wholeWorld;
    this.#draw();
  }

  #draw(): void {
    const size = { width: this.#root.clientWidth, height: this.#root.clientHeight };
    const route = this.#route;
    if (!route || size.width === 0 || size.height === 0) return;
    const spots = [route.place, ...route.ranking].map(spotOf);
    const projection = projectionOf(spots, size, this.#wholeWorld);
    // Nothing is touched that stays as it is.
    const ground = JSON.stringify([size, spots, this.#wholeWorld]);
    if (ground !== this.#drawnGround) this.#drawGround(projection, size);
    this.#drawnGround = ground;
    const { regionId, ranking, place } = route;
    const shown = shownOf(route, (spot) => projection([...spot]) ?? [0, 0]);
    const top = JSON.stringify([ground, shown]);
    if (top === this.#drawnTop) return;
    this.#drawnTop = top;
    const best = ranking.find((one) => one.regionId === regionId);
    const spotsOfWay = best ? wayBetween(spotOf(place), spotOf(best)) : [];
    const coordinates = spotsOfWay.map((spot) => [...spot]);
    const way = geoPath(projection)({ type: "LineString", coordinates }) ?? "";
    const points = spotsOfWay.flatMap((spot) => pointOf(projection([...spot])));
    const signs = signsOf(shown, size, points);
    this.#top.replaceChildren(svg("path", { class: "way", d: way }), ...signs);
  }

  #drawGround(projection: ReturnType<typeof projectionOf>, { width, height }: Size): void {
    this.#root.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const path = geoPath(projection).digits(1);
    this.#ground.replaceChildren(
      svg("path", { class: "sea", d: path({ type: "Sphere" }) ?? "" }),
      svg("path", { class: "graticule", d: path(geoGraticule10()) ?? "" }),
      svg("path", { class: "land", d: path(LAND) ?? "" }),
    );
  }
}

/** The worst first, so that the best lies on top; the player above all. */
function shownOf(
  { place, ranking, regionId }: ExplainedRoute,
  project: (spot: Spot) => readonly [number, number],
): Shown[] {
  const regions = ranking.map((one): Shown => {
    const sign = signOf(one);
    const tail = sign === "open" ? milliseconds(one.roundTripMs) : one.state;
    const lines = [one.name, sign === "closed" ? "takes nobody" : tail];
    return { sign, at: project(spotOf(one)), lines, chosen: one.regionId === regionId };
  });
  const lines = ["You", place.source === "default" ? "place unknown" : place.label];
  return [...regions.reverse(), { sign: "you", at: project(spotOf(place)), lines, chosen: false }];
}

function signsOf(shown: readonly Shown[], size: Size, way: readonly Point[]): SVGElement[] {
  // Names are given room in the reverse order: the player, the best, and so on.
  const first = shown.toReversed();
  const anchors = first.map(anchorOf);
  const labels = placeLabels(anchors, size, way).toReversed();
  const signs = shown.map(({ sign, at: [x, y], chosen }) => {
    const group = svg("g", { transform: `translate(${round(x)} ${round(y)})` }, drawn(sign));
    if (chosen) group.prepend(svg("circle", { class: "halo", r: HALO_RADIUS }));
    return group;
  });
  const names = shown.flatMap(({ at: [x, y], lines, chosen, sign }, index) => {
    const label = labels[index];
    if (!label) return [];
    const weight = chosen || sign === "you" ? "name strong" : "name";
    const text = svg("text", { class: weight, "text-anchor": label.align });
    for (const [line, words] of lines.entries()) {
      const place = { x: round(label.x), y: round(label.y + 12 + line * LINE_HEIGHT) };
      text.append(svg("tspan", { ...place, class: line === 0 ? "first" : "second" }, words));
    }
    if (!label.leader) return [text];
    const to = { x2: round(label.leader.x), y2: round(label.leader.y) };
    return [svg("line", { class: "leader", x1: round(x), y1: round(y), ...to }), text];
  });
  return [...signs, ...names];
}

function anchorOf({ at: [x, y], lines, chosen }: Shown): Anchor {
  const longest = Math.max(...lines.map(({ length }) => length));
  const radius = chosen ? HALO_SPACE : SIGN_SPACE;
  return { x, y, radius, width: longest * CHARACTER_WIDTH, height: lines.length * LINE_HEIGHT };
}

/** Along the great circle. */
function wayBetween(from: Spot, to: Spot): Spot[] {
  const between = geoInterpolate([...from], [...to]);
  return Array.from({ length: WAY_POINTS }, (_, index) => between(index / (WAY_POINTS - 1)));
}

function pointOf(projected: [number, number] | null): Point[] {
  return projected ? [{ x: projected[0], y: projected[1] }] : [];
}

function spotOf({ longitude, latitude }: { longitude: number; latitude: number }): Spot {
  return [longitude, latitude];
}

function round(pixels: number): number {
  return Math.round(pixels * 10) / 10;
}
