/** What `npm run bots` understands. */
import { parseArgs } from "node:util";

export interface BotsOptions {
  readonly help: boolean;
  readonly players: number;
  /** The core's. */
  readonly url: string;
  /** Undefined: until it is interrupted. */
  readonly seconds: number | undefined;
  readonly arrivePerSecond: number;
  /** Undefined: one is drawn. */
  readonly seed: number | undefined;
}

/** What one process decodes in time: each bot is sent the whole room's changes 20 times a second. */
export const PLAYERS_MAX = 500;
const ARRIVE_PER_SECOND_MAX = 500;
const SECONDS_MAX = 86_400;
export const SEED_MAX = 2 ** 32 - 1;

export const USAGE = `Usage: npm run bots -- [options]

Fills the arena of a running world (npm start) with bots. Each is a guest of its own that joins through
the client SDK, collects coins and banks them. Ctrl-C lets them leave; once more ends at once.

Options:
  --players N            how many bots, 1 to ${PLAYERS_MAX} (20)
  --url URL              the core's (http://127.0.0.1:7300)
  --seconds S            how long they play, up to ${SECONDS_MAX}; without it until Ctrl-C
  --arrive-per-second R  at most so many come a second, 0.1 to ${ARRIVE_PER_SECOND_MAX} (20: as many as the core
                         lets one address log in for as long as one likes)
  --seed N               repeats the bots' names and dice
  --help                 this text

Exit code: 0, or 1 when nobody ever played or the core can't be reached, 2 for a wrong option.`;

/** @throws one clear line about the first wrong option */
export function parseBotsOptions(args: readonly string[]): BotsOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      players: { type: "string", default: "20" },
      url: { type: "string", default: "http://127.0.0.1:7300" },
      seconds: { type: "string" },
      "arrive-per-second": { type: "string", default: "20" },
      seed: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const { seconds, seed } = values;
  const whole = { whole: true };
  return {
    help: values.help,
    players: numberOf("--players", values.players, { min: 1, max: PLAYERS_MAX, ...whole }),
    url: urlOf(values.url),
    seconds:
      seconds === undefined
        ? undefined
        : numberOf("--seconds", seconds, { min: 1, max: SECONDS_MAX }),
    arrivePerSecond: numberOf("--arrive-per-second", values["arrive-per-second"], {
      min: 0.1,
      max: ARRIVE_PER_SECOND_MAX,
    }),
    seed:
      seed === undefined
        ? undefined
        : numberOf("--seed", seed, { min: 0, max: SEED_MAX, ...whole }),
  };
}

interface Range {
  readonly min: number;
  readonly max: number;
  readonly whole?: boolean;
}

function numberOf(name: string, text: string, { min, max, whole = false }: Range): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (value >= min && value <= max && (!whole || Number.isInteger(value))) return value;
  throw new Error(`${name} ${text} is not a ${whole ? "whole " : ""}number from ${min} to ${max}`);
}

function urlOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === "http:" || url?.protocol === "https:") return text;
  throw new Error(`--url ${text} is not a URL such as http://127.0.0.1:7300`);
}
