/** `npm run upgrade`: a rolling upgrade from the previous release to this tree, under players. */
import { parseArgs } from "node:util";
import { CORES_MAX, REGIONS_MAX } from "../../infra/local/options.ts";
import { previousRelease, ReleaseTreeError } from "../../infra/upgrade/release-tree.ts";
import { percentile } from "../../loadtest/bench/benchmark.ts";
import { watchInterrupts } from "../../loadtest/bots/interrupts.ts";
import { systemClock } from "../../shared/clock.ts";
import { type RollingUpgradeOptions, rollingUpgrade } from "./rolling.ts";
import type { Way } from "./upgraded-world.ts";

const WAYS: readonly Way[] = ["evacuate", "succeed"];
const PLAYERS_MAX = 2_000;
const JOINS_MAX = 100;
/** As a shell reports an end by Ctrl-C. */
const EXIT_INTERRUPTED = 130;

const USAGE = `Usage: npm run upgrade -- [options]

Starts a world of the previous release (infra/upgrade/previous-release), has players in it, and replaces
one part after another by this tree's: the schema, the core, each region's node. Nobody may be
disconnected, no join may fail, and nothing of value may be lost or doubled.

Options:
  --players N  who play all the while, with the previous release's client, 1 to ${PLAYERS_MAX} (40)
  --regions N  regions of the world, 2 to ${REGIONS_MAX} (2)
  --cores N    cores of the world, 1 to ${CORES_MAX} (1); more need HAProxy
  --from ID    the commit to upgrade from (the one in infra/upgrade/previous-release)
  --joins N    joins a second all the while, with this tree's client, 0 to ${JOINS_MAX} (2)
  --how WAY    how nodes are replaced: ${WAYS.join(", ")}, or both in turn (both)
  --json       ends with one line of JSON
  --help       this text

Exit code: 0, or 1 when somebody was disconnected, failed to join or lost something, 2 for a wrong option.`;

interface UpgradeOptions
  extends Required<Pick<RollingUpgradeOptions, "players" | "regions" | "cores" | "from">> {
  readonly help: boolean;
  readonly joinsPerSecond: number;
  readonly ways: readonly Way[];
  readonly json: boolean;
}

/** @throws one clear line about the first wrong option */
function parseUpgradeOptions(args: readonly string[]): UpgradeOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      players: { type: "string", default: "40" },
      regions: { type: "string", default: "2" },
      cores: { type: "string", default: "1" },
      from: { type: "string" },
      joins: { type: "string", default: "2" },
      how: { type: "string", default: "both" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const ways = values.how === "both" ? WAYS : WAYS.filter((way) => way === values.how);
  if (ways.length === 0) throw new Error(`--how ${values.how}: ${WAYS.join(", ")} or both`);
  return {
    help: values.help,
    json: values.json,
    ways,
    players: wholeNumber("--players", values.players, 1, PLAYERS_MAX),
    regions: wholeNumber("--regions", values.regions, 2, REGIONS_MAX),
    cores: wholeNumber("--cores", values.cores, 1, CORES_MAX),
    from: values.from ?? previousRelease(),
    joinsPerSecond: wholeNumber("--joins", values.joins, 0, JOINS_MAX),
  };
}

function wholeNumber(name: string, text: string, min: number, max: number): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new Error(`${name} ${text} is not a whole number from ${min} to ${max}`);
}

async function main(options: UpgradeOptions): Promise<number> {
  const stop = new AbortController();
  watchInterrupts({
    source: process,
    clock: systemClock,
    onAsked: () => stop.abort(),
    onForced: () => process.exit(EXIT_INTERRUPTED),
  });
  // The start-up script is gone: nobody reads the result any more.
  process.on("disconnect", () => stop.abort());
  const say = (line: string) => console.log(line);
  try {
    const result = await rollingUpgrade({ ...options, say, signal: stop.signal });
    const { disconnects, failedJoins, lost, doubled, wrong, pausesMs, ...counts } = result;
    for (const line of wrong) console.log(`✗ ${line}`);
    const pauses = {
      moved: pausesMs.length,
      pauseP50Ms: percentile(pausesMs, 50),
      pauseP99Ms: percentile(pausesMs, 99),
    };
    console.log(
      `${counts.players} players, ${pauses.moved} moves, paused ${pauses.pauseP50Ms} ms in the middle and ` +
        `${pauses.pauseP99Ms} ms at p99; ${counts.joined} joined: ${disconnects} disconnects, ` +
        `${failedJoins} failed joins, ${lost} lost, ${doubled} doubled`,
    );
    const figures = { ...counts, disconnects, failedJoins, lost, doubled, ...pauses };
    if (options.json) console.log(JSON.stringify(figures));
    return wrong.length === 0 ? 0 : 1;
  } catch (error) {
    if (stop.signal.aborted) {
      console.log("called off");
      return EXIT_INTERRUPTED;
    }
    console.error(`✗ ${error instanceof Error ? error.message : error}`);
    return error instanceof ReleaseTreeError ? 2 : 1;
  }
}

let options: UpgradeOptions;
try {
  options = parseUpgradeOptions(process.argv.slice(2));
} catch (error) {
  const line = error instanceof Error ? error.message : String(error);
  console.error(`✗ ${line}\n  npm run upgrade -- --help lists the options`);
  process.exit(2);
}
if (options.help) console.log(USAGE);
// Explicit, because a run that was called off may still wait for something.
else process.exit(await main(options));
