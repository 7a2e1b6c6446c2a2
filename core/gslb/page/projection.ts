/** How the globe is laid on the page: all of it, or as much as holds the regions and the player. */
import { type GeoProjection, geoNaturalEarth1, geoPath } from "d3-geo";
import type { MultiPoint } from "geojson";

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Longitude and latitude, degrees. */
export type Spot = readonly [number, number];

/** Nearer, the outlines of the land (1:110,000,000) would be a few straight lines. */
const SCALE_MAX = 1_100;
/** Around the points, for their names; in pixels, and less on small screens. */
const MARGIN = 70;
/** So that what leaves the picture leaves it by its edge. */
const OVERHANG = 20;

/** @param spots at least one */
export function projectionOf(
  spots: readonly Spot[],
  size: Size,
  wholeWorld: boolean,
): GeoProjection {
  const { width, height } = size;
  const projection = geoNaturalEarth1();
  if (wholeWorld) projection.fitExtent(extent(size, 6), { type: "Sphere" });
  else fit(projection, spots, size);
  return projection.clipExtent([
    [-OVERHANG, -OVERHANG],
    [width + OVERHANG, height + OVERHANG],
  ]);
}

function fit(projection: GeoProjection, spots: readonly Spot[], size: Size): void {
  const points: MultiPoint = { type: "MultiPoint", coordinates: spots.map((spot) => [...spot]) };
  // The middle of the picture is where the projection bends least.
  projection.rotate([-middleLongitude(spots), 0]);
  const margin = Math.min(MARGIN, size.width / 6, size.height / 6);
  projection.fitExtent(extent(size, margin), points);
  // A single point has no extent, and would be looked at from no distance.
  projection.scale(Math.min(SCALE_MAX, projection.scale())).translate([0, 0]);
  const [[left, top], [right, bottom]] = geoPath(projection).bounds(points);
  projection.translate([(size.width - left - right) / 2, (size.height - top - bottom) / 2]);
}

/** By vectors, since the mean of 179° and −179° is not 0°. */
function middleLongitude(spots: readonly Spot[]): number {
  const radians = spots.map(([longitude]) => (longitude * Math.PI) / 180);
  const east = radians.reduce((sum, angle) => sum + Math.sin(angle), 0);
  const north = radians.reduce((sum, angle) => sum + Math.cos(angle), 0);
  return (Math.atan2(east, north) * 180) / Math.PI;
}

function extent({ width, height }: Size, margin: number): [[number, number], [number, number]] {
  return [
    [margin, margin],
    [width - margin, height - margin],
  ];
}
