/** What `npm start` understands. The text of `--help` is `usage.txt`: the start-up script prints it. */
import { parseArgs } from "node:util";
import { CITY_NAMES, type City, findCity, PLAYER_CITY } from "./wan/cities.ts";

export interface LocalOptions {
  /** A file of `infra/topology`, without its ending. */
  readonly topology: TopologyName;
  readonly regions: number;
  /** Of whom one leads. */
  readonly cores: number;
  /** The core's port; 0 takes free ones for everything. */
  readonly portBase: number;
  /** Delays every link as the distance does. */
  readonly wan: boolean;
  /** Where this machine's players are taken to be. */
  readonly player: City;
  readonly lan: boolean;
  readonly fresh: boolean;
  /** Runs a name server that sends players to their region. */
  readonly dns: boolean;
  /** Starts and ends nodes as the core decides. */
  readonly scaling: boolean;
  /** Runs a synchronous standby of the database. */
  readonly standby: boolean;
  /** Brings saved code of games into the running world. */
  readonly watch: boolean;
  /** Where the database archives its log; undefined: nowhere. */
  readonly backupDir: string | undefined;
}

export const TOPOLOGIES = ["china", "global"] as const;
export type TopologyName = (typeof TOPOLOGIES)[number];

/** However many the file has: each takes a Redis and a process. */
export const REGIONS_MAX = 5;
const REGIONS_DEFAULT = 3;
export const CORES_MAX = 5;
const PORT_BASE_DEFAULT = 7_300;
/** The last region's ports lie this far above the base. */
const PORT_SPAN = 200;

/** @throws one clear line about the first wrong option */
export function parseLocalOptions(args: readonly string[]): LocalOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      topology: { type: "string", default: "china" },
      regions: { type: "string", default: String(REGIONS_DEFAULT) },
      cores: { type: "string", default: "1" },
      "port-base": { type: "string", default: String(PORT_BASE_DEFAULT) },
      wan: { type: "boolean", default: false },
      "player-city": { type: "string" },
      lan: { type: "boolean", default: false },
      fresh: { type: "boolean", default: false },
      dns: { type: "boolean", default: false },
      scale: { type: "boolean", default: false },
      standby: { type: "boolean", default: false },
      "no-watch": { type: "boolean", default: false },
      "backup-dir": { type: "string" },
    },
  });
  const cityName = values["player-city"];
  if (cityName !== undefined && !values.wan) throw new Error("--player-city needs --wan");
  const city = findCity(cityName ?? PLAYER_CITY);
  if (!city) {
    throw new Error(`--player-city ${cityName}: not one of ${CITY_NAMES.join(", ")}`);
  }
  const topology = TOPOLOGIES.find((name) => name === values.topology);
  if (!topology)
    throw new Error(`--topology ${values.topology}: not one of ${TOPOLOGIES.join(", ")}`);
  return {
    topology,
    regions: wholeNumber("--regions", values.regions, 1, REGIONS_MAX),
    cores: wholeNumber("--cores", values.cores, 1, CORES_MAX),
    portBase: wholeNumber("--port-base", values["port-base"], 1_024, 65_535 - PORT_SPAN),
    wan: values.wan,
    player: city,
    lan: values.lan,
    fresh: values.fresh,
    dns: values.dns,
    scaling: values.scale,
    standby: values.standby,
    watch: !values["no-watch"],
    backupDir: values["backup-dir"],
  };
}

function wholeNumber(name: string, text: string, min: number, max: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new Error(`${name} ${text} is not a whole number from ${min} to ${max}`);
}
