/** What `npm run faults` understands. */
import { parseArgs } from "node:util";
import { REGIONS_MAX } from "../../infra/local/options.ts";
import { CENTRAL_FAULTS, DISASTER_KINDS, REGION_FAULTS, SUPPLY_FAULTS } from "./fault.ts";
import { MOVING_FAULTS, STAYING_FAULTS, UNNOTICED_FAULTS } from "./players/player-fault.ts";

export interface FaultsOptions {
  readonly help: boolean;
  readonly kills: number;
  readonly regions: number;
  /** Undefined: one is drawn. */
  readonly seed: number | undefined;
  /** So many players are followed through faults of their own; undefined: the other campaign. */
  readonly players: number | undefined;
  /** Delays every link as the distance does; only with `players`. */
  readonly wan: boolean;
  readonly json: boolean;
  /** A world of two cores and a standby of the database, and faults of those. */
  readonly disasters: boolean;
}

const KILLS_MAX = 100_000;
/** Those who lose their region need another. */
const REGIONS_MIN = 2;
/** Their processes decode all that they are sent. */
const PLAYERS_MAX = 2_000;
export const SEED_MAX = 2 ** 32 - 1;

export const USAGE = `Usage: npm run faults -- [options]

Starts a world of its own, with players in it, and lets one part after another fail, some at the same
time. After each wave the invariants are checked; the first that does not hold ends the run. About 4 s a
fault.

All the while other players earn, pay, make gems and trade them, up to 120 operations a second, and write
diaries. Whatever one of them was told is done, or saved, must be in the database, once: "N ops: 0 lost, 0
doubled" and "N notes: 0 lost, 0 doubled" end the run, and come after each 100 faults.

Faults:
  ${REGION_FAULTS.join(", ")}
  ${SUPPLY_FAULTS.join(", ")}: nobody in a room may notice
  ${CENTRAL_FAULTS.join(", ")}: nor here

With --disasters the world has two cores, of whom one leads, and a standby of the database, and what fails is, alone
or together with a region:
  ${DISASTER_KINDS.join(", ")}

With --players N that many players of the arena are followed through faults of their own instead, about 15 s
each. Each must have its room, its entity, its score and its saved progress back, and each coin that it was
told of once; what was kept of each promise ends the run.

Faults:
  ${MOVING_FAULTS.join(", ")}: rooms go on elsewhere
  ${STAYING_FAULTS.join(", ")}: players may have to come back
  ${UNNOTICED_FAULTS.join(", ")}: nobody may notice

Options:
  --kills N    how many faults, 1 to ${KILLS_MAX} (10)
  --seed N     repeats a run's faults: kinds, regions and durations
  --regions N  regions of the world, ${REGIONS_MIN} to ${REGIONS_MAX} (3)
  --players N  follows so many players, 1 to ${PLAYERS_MAX}
  --wan        with --players: delays every link as the distance does; needed for black-hole and cut-players
  --disasters  strikes at cores, database and standby; needs HAProxy
  --json       with --players: ends with one line of JSON
  --help       this text

Exit code: 0, or 1 when an invariant did not hold or a promise was broken, 2 for a wrong option.`;

/** @throws one clear line about the first wrong option */
export function parseFaultsOptions(args: readonly string[]): FaultsOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      kills: { type: "string", default: "10" },
      seed: { type: "string" },
      regions: { type: "string", default: "3" },
      players: { type: "string" },
      wan: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      disasters: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const { help, kills, regions, seed, players, wan, json, disasters } = values;
  if (players !== undefined && disasters) throw new Error("--disasters goes without --players");
  if (players === undefined && (wan || json)) throw new Error("--wan and --json need --players");
  return {
    help,
    wan,
    json,
    disasters,
    players: players === undefined ? undefined : wholeNumber("--players", players, 1, PLAYERS_MAX),
    kills: wholeNumber("--kills", kills, 1, KILLS_MAX),
    regions: wholeNumber("--regions", regions, REGIONS_MIN, REGIONS_MAX),
    seed: seed === undefined ? undefined : wholeNumber("--seed", seed, 0, SEED_MAX),
  };
}

function wholeNumber(name: string, text: string, min: number, max: number): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new Error(`${name} ${text} is not a whole number from ${min} to ${max}`);
}
