/**
 * Who plays: each player has a public IPv4 address, drawn evenly from all that geoip-lite places anywhere, so
 * they live where the world's addresses are. The core believes what its locator says; where they are in truth
 * differs:
 *
 * - an address that is known only by its country (57% of all; the table has the country's middle) is where
 *   some address with a city in that country is;
 * - one with a city is there, within some 25 km, in 85 of 100 cases; in 14 it is off by 200 km on average, and
 *   one in a hundred is anywhere in the world.
 */
import type { GeoLocator, Place } from "../../core/gslb/geo-locator.ts";
import type { Coordinates } from "../../core/gslb/great-circle.ts";
import type { Chance } from "../../shared/chance.testkit.ts";
import { exponential } from "./draws.ts";

const NEARLY_RIGHT_KM = 25;
const ROUGHLY_RIGHT_KM = 200;
const ROUGHLY_RIGHT_PERCENT = 14;
const WRONG_PERCENT = 1;
const KM_PER_DEGREE = 111;
/** Providers in a country, each with ways of its own. */
const NETWORKS_PER_COUNTRY = 32;

export interface Players {
  readonly count: number;
  /** Where the core takes the player to be. */
  placeOf(player: number): Place;
  /** Where the player is. */
  readonly truth: readonly Coordinates[];
  /** The provider, from 0. */
  readonly networkOf: Uint32Array;
  readonly networks: number;
}

export function drawPlayers(count: number, locator: GeoLocator, chance: Chance): Players {
  const addresses = drawAddresses(count, locator, chance);
  const inCountry = new Map<string, Place[]>();
  for (const place of addresses) {
    const country = countryOf(place.label);
    if (place.label === country) continue;
    const cities = inCountry.get(country) ?? [];
    inCountry.set(country, cities);
    cities.push(place);
  }
  const networks = new Map<string, number>();
  const networkOf = new Uint32Array(count);
  const truth = addresses.map((place, player) => {
    const country = countryOf(place.label);
    const name = `${country} ${chance.below(NETWORKS_PER_COUNTRY)}`;
    const network = networks.get(name) ?? networks.size;
    networks.set(name, network);
    networkOf[player] = network;
    const known = place.label !== country;
    return truePlace(
      known ? place : chance.of(inCountry.get(country) ?? [place]),
      addresses,
      chance,
    );
  });
  return {
    count,
    placeOf: (player) => addresses[player] as Place,
    truth,
    networkOf,
    networks: networks.size,
  };
}

function drawAddresses(count: number, locator: GeoLocator, chance: Chance): Place[] {
  // Places are few next to addresses: kept once each, a million players take a tenth of the memory.
  const kept = new Map<string, Place>();
  const places: Place[] = [];
  const octet = () => chance.below(256);
  while (places.length < count) {
    const address = `${1 + chance.below(223)}.${octet()}.${octet()}.${octet()}`;
    const place = locator.locate(address);
    if (place.source !== "geo-ip") continue;
    const key = `${place.latitude} ${place.longitude} ${place.label}`;
    const same = kept.get(key) ?? place;
    kept.set(key, same);
    places.push(same);
  }
  return places;
}

/** The locator's labels are "City, CC", or "CC" where it knows no city. */
function countryOf(label: string): string {
  return label.slice(label.lastIndexOf(" ") + 1);
}

function truePlace(place: Place, all: readonly Place[], chance: Chance): Coordinates {
  const percent = chance.below(100);
  if (percent < WRONG_PERCENT) return chance.of(all);
  const rough = percent < WRONG_PERCENT + ROUGHLY_RIGHT_PERCENT;
  const km = exponential(chance, rough ? ROUGHLY_RIGHT_KM : NEARLY_RIGHT_KM);
  const bearing = 2 * Math.PI * chance.float();
  const latitude = place.latitude + (km / KM_PER_DEGREE) * Math.cos(bearing);
  const shrink = Math.max(0.1, Math.cos((latitude * Math.PI) / 180));
  return {
    latitude: Math.max(-90, Math.min(90, latitude)),
    longitude: place.longitude + ((km / KM_PER_DEGREE) * Math.sin(bearing)) / shrink,
  };
}
