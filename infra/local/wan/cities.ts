/** Where players may be, for `--player-city`. */
import type { Place } from "./distance.ts";

export interface City extends Place {
  readonly name: string;
}

const CITIES: readonly City[] = [
  { name: "Beijing", latitude: 39.9, longitude: 116.4 },
  { name: "Chengdu", latitude: 30.57, longitude: 104.07 },
  { name: "Guangzhou", latitude: 23.13, longitude: 113.26 },
  { name: "Hangzhou", latitude: 30.27, longitude: 120.16 },
  { name: "Harbin", latitude: 45.8, longitude: 126.53 },
  { name: "Kunming", latitude: 25.04, longitude: 102.71 },
  { name: "Shanghai", latitude: 31.23, longitude: 121.47 },
  { name: "Shenzhen", latitude: 22.54, longitude: 114.06 },
  { name: "Tianjin", latitude: 39.13, longitude: 117.2 },
  { name: "Urumqi", latitude: 43.83, longitude: 87.62 },
  { name: "Wuhan", latitude: 30.59, longitude: 114.31 },
  { name: "Xian", latitude: 34.34, longitude: 108.94 },
];

/** Where this machine's players are taken to be, unless told. */
export const PLAYER_CITY = "hangzhou";

/** The names that `findCity` takes. */
export const CITY_NAMES: readonly string[] = CITIES.map(({ name }) => name.toLowerCase());

/** @param name in upper or lower case */
export function findCity(name: string): City | undefined {
  return CITIES.find((city) => city.name.toLowerCase() === name.toLowerCase());
}
