/**
 * From an address to a place, by the tables of geoip-lite (about 110 MB of memory, loaded in 0.3 s at
 * start; `docs/geo-ip.md` tells how they are updated).
 *
 * An operator's overrides come first. What nobody knows is taken to be at the core.
 */
import type { Lookup } from "geoip-lite";
import type { Part } from "../../shared/lifecycle.ts";
import { type GeoOverride, GeoOverrideTable } from "./geo-overrides.ts";
import type { Coordinates } from "./great-circle.ts";
import { dotted, parseIpAddress } from "./ip-address.ts";

export interface Place extends Coordinates {
  readonly label: string;
  /** How the place is known. */
  readonly source: "override" | "geo-ip" | "default";
}

export interface NamedPlace extends Coordinates {
  readonly name: string;
}

type LookUp = (address: string) => Lookup | null;

/**
 * Where most players are of addresses that are known only by their country, where the tables have its middle on
 * the map instead. Seven of ten addresses of the United States are such, and their middle is in Kansas: from
 * there a quarter of the players is sent more than 40 ms too far, from Chicago a sixth (`npm run day`).
 */
const MOST_PLAYERS: Readonly<Record<string, Coordinates>> = {
  US: { latitude: 41.88, longitude: -87.63 },
};

export class GeoLocator implements Part {
  readonly name = "geo-IP";
  readonly #overrides: GeoOverrideTable;
  #fallback: Place;
  #lookUp: LookUp = () => null;

  /**
   * @param overrides of the same range the later one counts
   * @param fallback where the core is
   */
  constructor(overrides: readonly GeoOverride[], fallback: NamedPlace) {
    this.#overrides = new GeoOverrideTable(overrides);
    this.#fallback = fallbackAt(fallback);
  }

  /** Where the core is. */
  get fallback(): Place {
    return this.#fallback;
  }

  /** From now on what nobody knows is taken to be there. */
  moveFallback(place: NamedPlace): void {
    this.#fallback = fallbackAt(place);
  }

  async start(): Promise<void> {
    // The import itself reads the tables: not before the process has decided to start.
    const { default: geoip } = await import("geoip-lite");
    this.#lookUp = geoip.lookup;
  }

  /** Never fails: an address that nobody knows is placed at the core. */
  locate(text: string): Place {
    const address = parseIpAddress(text);
    if (!address) return this.#fallback;
    const override = this.#overrides.find(address);
    if (override) return override;
    const found = this.#lookUp(address.family === 4 ? dotted(address.value) : text);
    const [latitude, longitude] = found?.ll ?? [];
    if (!found || !isDegrees(latitude) || !isDegrees(longitude)) return this.#fallback;
    const isCountryOnly = found.city === "" && found.region === "";
    const coordinates = (isCountryOnly && MOST_PLAYERS[found.country]) || { latitude, longitude };
    const label = [found.city, found.country].filter((part) => part !== "").join(", ");
    return { ...coordinates, label: label || "an unnamed place", source: "geo-ip" };
  }
}

function fallbackAt({ latitude, longitude, name }: NamedPlace): Place {
  return { latitude, longitude, label: name, source: "default" };
}

function isDegrees(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
