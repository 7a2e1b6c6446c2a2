/**
 * Places of addresses as an operator knows them: private and documentation ranges are on no map, and a
 * provider may know better where its addresses are.
 *
 * One entry is `CIDR=latitude,longitude,label`. The longest prefix that holds an address counts, whichever
 * entry was written first; of two sources that name the same range, the later one.
 */
import { readFileSync, statSync } from "node:fs";
import type { Place } from "./geo-locator.ts";
import { type IpAddress, type IpRange, leadingBits, parseIpRange } from "./ip-address.ts";

export interface GeoOverride {
  readonly range: IpRange;
  readonly place: Place;
}

/** Of the setting; more belong in a file. */
const SETTING_ENTRIES_MAX = 256;
const FILE_ENTRIES_MAX = 10_000;
const FILE_BYTES_MAX = 1024 * 1024;
const LABEL_CHARACTERS_MAX = 64;

/**
 * Entries separated by `;`.
 * @throws one line that names the wrong entry
 */
export function parseGeoOverrides(text: string): GeoOverride[] {
  const entries = text.split(";").map((entry) => entry.trim());
  const overrides = entries.filter((entry) => entry !== "").map(parseOverride);
  if (overrides.length > SETTING_ENTRIES_MAX) {
    throw new Error(`${SETTING_ENTRIES_MAX} entries at most: put them into a file`);
  }
  return once(overrides);
}

/**
 * A file with one entry a line; empty lines and what follows a `#` don't count.
 * @throws one line that names the file and the line
 */
export function loadGeoOverrides(path: string): GeoOverride[] {
  const overrides = contentOf(path)
    .split("\n")
    .flatMap((line, index) => {
      const [entry = ""] = line.split("#");
      if (entry.trim() === "") return [];
      try {
        return [parseOverride(entry.trim())];
      } catch (cause) {
        throw new Error(`${path}, line ${index + 1}: ${messageOf(cause)}`, { cause });
      }
    });
  if (overrides.length > FILE_ENTRIES_MAX) {
    throw new Error(`${path}: ${FILE_ENTRIES_MAX} entries at most`);
  }
  try {
    return once(overrides);
  } catch (cause) {
    throw new Error(`${path}: ${messageOf(cause)}`, { cause });
  }
}

/**
 * Finds the place of an address by one hash look-up for each length of prefix that occurs, the longest
 * first: with 10,000 entries of 8 lengths an IPv4 address takes some 2 µs, where trying one entry after the
 * other took 5,500.
 */
export class GeoOverrideTable {
  readonly #byFamily = { 4: new PrefixLengths(), 6: new PrefixLengths() };

  /** @param overrides of the same range the later one counts */
  constructor(overrides: readonly GeoOverride[]) {
    for (const { range, place } of overrides) {
      this.#byFamily[range.network.family].set(range, place);
    }
  }

  find(address: IpAddress): Place | undefined {
    return this.#byFamily[address.family].find(address);
  }
}

/** The ranges of one family, by the length of their prefix. */
class PrefixLengths {
  /** The longest first. */
  #lengths: { readonly prefix: number; readonly places: Map<number | bigint, Place> }[] = [];

  set({ network, prefix }: IpRange, place: Place): void {
    let length = this.#lengths.find((one) => one.prefix === prefix);
    if (!length) {
      length = { prefix, places: new Map() };
      this.#lengths = [...this.#lengths, length].sort((a, b) => b.prefix - a.prefix);
    }
    length.places.set(leadingBits(network, prefix), place);
  }

  find(address: IpAddress): Place | undefined {
    for (const { prefix, places } of this.#lengths) {
      const place = places.get(leadingBits(address, prefix));
      if (place) return place;
    }
    return undefined;
  }
}

function parseOverride(entry: string): GeoOverride {
  const [, cidr = "", latitudeText = "", longitudeText = "", labelText = ""] =
    /^([^=]+)=([^,]*),([^,]*)(?:,(.*))?$/.exec(entry) ?? [];
  const range = parseIpRange(cidr.trim());
  const latitude = degrees(latitudeText, 90);
  const longitude = degrees(longitudeText, 180);
  if (!range || latitude === undefined || longitude === undefined) {
    throw new Error(`"${entry}" is not CIDR=latitude,longitude,label`);
  }
  const label = labelText.trim() || cidr.trim();
  if (label.length > LABEL_CHARACTERS_MAX) {
    throw new Error(`"${entry}": a label has ${LABEL_CHARACTERS_MAX} characters at most`);
  }
  if (/\p{C}/u.test(label))
    throw new Error(`the label of ${cidr.trim()} has characters that can't be shown`);
  return { range, place: { latitude, longitude, label, source: "override" } };
}

function degrees(text: string, most: number): number | undefined {
  const value = Number(text);
  return text.trim() !== "" && Math.abs(value) <= most ? value : undefined;
}

/** @throws when one range has two places */
function once(overrides: GeoOverride[]): GeoOverride[] {
  const seen = new Set<string>();
  for (const { range, place } of overrides) {
    const { network, prefix } = range;
    const key = `${network.family} ${prefix} ${leadingBits(network, prefix)}`;
    if (seen.has(key)) throw new Error(`the range of "${place.label}" is there twice`);
    seen.add(key);
  }
  return overrides;
}

function contentOf(path: string): string {
  const found = statSync(path);
  // A pipe or a device would hold up the start for ever.
  if (!found.isFile()) throw new Error(`${path} is no file`);
  const { size } = found;
  if (size > FILE_BYTES_MAX) throw new Error(`${path} has more than ${FILE_BYTES_MAX} bytes`);
  return readFileSync(path, "utf8");
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
