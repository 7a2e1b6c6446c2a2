/**
 * From an address to a place, by the tables of geoip-lite (about 110 MB of memory, loaded in 0.3 s at
 * start; updated with a MaxMind key as its own documentation says).
 *
 * Overrides come first: private and documentation ranges are on no map, and a provider may know better
 * where its addresses are. What nobody knows is taken to be at the core.
 */
import { BlockList, isIP } from "node:net";
import type { Lookup } from "geoip-lite";
import type { Part } from "../../shared/lifecycle.ts";
import type { Coordinates } from "./great-circle.ts";

export interface Place extends Coordinates {
  readonly label: string;
  /** How the place is known. */
  readonly source: "override" | "geo-ip" | "default";
}

export interface NamedPlace extends Coordinates {
  readonly name: string;
}

export interface GeoOverride {
  readonly cidr: string;
  readonly network: string;
  readonly prefix: number;
  readonly family: "ipv4" | "ipv6";
  readonly place: Place;
}

type LookUp = (address: string) => Lookup | null;

const OVERRIDES_MAX = 256;

/**
 * Parses `CIDR=latitude,longitude,label` entries, separated by `;`.
 * @throws one line that names the wrong entry
 */
export function parseGeoOverrides(text: string): GeoOverride[] {
  const entries = text.split(";").map((entry) => entry.trim());
  const overrides = entries.filter((entry) => entry !== "").map(parseOverride);
  if (overrides.length > OVERRIDES_MAX) throw new Error(`${OVERRIDES_MAX} entries at most`);
  return overrides;
}

export class GeoLocator implements Part {
  readonly name = "geo-IP";
  readonly #overrides: readonly { readonly block: BlockList; readonly place: Place }[];
  #fallback: Place;
  #lookUp: LookUp = () => null;

  /** @param fallback where the core is */
  constructor(overrides: readonly GeoOverride[], fallback: NamedPlace) {
    this.#overrides = overrides.map(({ network, prefix, family, place }) => {
      const block = new BlockList();
      block.addSubnet(network, prefix, family);
      return { block, place };
    });
    this.#fallback = fallbackAt(fallback);
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
  locate(address: string): Place {
    const plain = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address;
    const version = isIP(plain);
    if (version === 0) return this.#fallback;
    const family = version === 6 ? "ipv6" : "ipv4";
    const override = this.#overrides.find(({ block }) => block.check(plain, family));
    if (override) return override.place;
    const found = this.#lookUp(plain);
    const [latitude, longitude] = found?.ll ?? [];
    if (!found || !isDegrees(latitude) || !isDegrees(longitude)) return this.#fallback;
    const label = [found.city, found.country].filter((part) => part !== "").join(", ");
    return { latitude, longitude, label: label || "an unnamed place", source: "geo-ip" };
  }
}

function fallbackAt({ latitude, longitude, name }: NamedPlace): Place {
  return { latitude, longitude, label: name, source: "default" };
}

function parseOverride(entry: string): GeoOverride {
  const [cidr = "", rest = ""] = entry.split("=");
  const [network = "", prefixText = ""] = cidr.split("/");
  const [latitudeText = "", longitudeText = "", ...label] = rest.split(",");
  const version = isIP(network);
  const prefix = Number(prefixText);
  const latitude = Number(latitudeText);
  const longitude = Number(longitudeText);
  const prefixMax = version === 6 ? 128 : 32;
  const wrong =
    version === 0 ||
    prefixText === "" ||
    !(Number.isInteger(prefix) && prefix >= 0 && prefix <= prefixMax) ||
    latitudeText === "" ||
    !(Math.abs(latitude) <= 90) ||
    longitudeText === "" ||
    !(Math.abs(longitude) <= 180);
  if (wrong) throw new Error(`"${entry}" is not CIDR=latitude,longitude,label`);
  return {
    cidr,
    network,
    prefix,
    family: version === 6 ? "ipv6" : "ipv4",
    place: { latitude, longitude, label: label.join(",").trim() || cidr, source: "override" },
  };
}

function isDegrees(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
