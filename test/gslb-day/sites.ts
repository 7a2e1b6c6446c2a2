/**
 * Thirty regions at metro areas of the world, chosen as an operator would who goes by where addresses are:
 * four in ten are in North America, so a third of the sites are; no large city is left without one on its
 * continent.
 */
import { RegionSpec } from "../../core/regions/topology.ts";

/** Id, name, degrees north, degrees east. */
const SITES = [
  ["ashburn", "Ashburn", 39.04, -77.49],
  ["new-york", "New York", 40.71, -74.01],
  ["chicago", "Chicago", 41.88, -87.63],
  ["dallas", "Dallas", 32.78, -96.8],
  ["atlanta", "Atlanta", 33.75, -84.39],
  ["denver", "Denver", 39.74, -104.99],
  ["los-angeles", "Los Angeles", 34.05, -118.24],
  ["san-jose", "San Jose", 37.34, -121.89],
  ["seattle", "Seattle", 47.61, -122.33],
  ["toronto", "Toronto", 43.65, -79.38],
  ["mexico-city", "Mexico City", 19.43, -99.13],
  ["sao-paulo", "São Paulo", -23.55, -46.63],
  ["buenos-aires", "Buenos Aires", -34.6, -58.38],
  ["london", "London", 51.51, -0.13],
  ["paris", "Paris", 48.86, 2.35],
  ["frankfurt", "Frankfurt", 50.11, 8.68],
  ["milan", "Milan", 45.46, 9.19],
  ["stockholm", "Stockholm", 59.33, 18.07],
  ["warsaw", "Warsaw", 52.23, 21.01],
  ["cairo", "Cairo", 30.04, 31.24],
  ["johannesburg", "Johannesburg", -26.2, 28.05],
  ["dubai", "Dubai", 25.2, 55.27],
  ["mumbai", "Mumbai", 19.08, 72.88],
  ["singapore", "Singapore", 1.35, 103.82],
  ["hong-kong", "Hong Kong", 22.32, 114.17],
  ["shanghai", "Shanghai", 31.23, 121.47],
  ["beijing", "Beijing", 39.9, 116.4],
  ["seoul", "Seoul", 37.57, 126.98],
  ["tokyo", "Tokyo", 35.68, 139.69],
  ["sydney", "Sydney", -33.87, 151.21],
] as const;

export const SITE_COUNT = SITES.length;

/** As in a topology file. */
export function specsOf(capacities: ArrayLike<number>): RegionSpec[] {
  return SITES.map(([id, name, latitude, longitude], index) =>
    RegionSpec.parse({ id, name, latitude, longitude, capacity: capacities[index] }),
  );
}
