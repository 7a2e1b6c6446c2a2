/**
 * Simulates a day of players over thirty regions with the production ranking:
 *
 *     npm run day -- --players 1000000 --seed 1 --json
 *     npm run day -- --players 50000 --bug "load"
 */
import { parseArgs } from "node:util";
import { GeoLocator } from "../../core/gslb/geo-locator.ts";
import { isSeatsBy } from "./capacity.ts";
import { PRODUCTION, simulateDay } from "./day.ts";
import { isLosses } from "./outages.ts";
import { PLANTED_BUGS } from "./planted-bugs.ts";
import type { Report } from "./report.ts";

/** Nobody is placed there: the simulated players' addresses are all on the map. */
const NOWHERE = { name: "nowhere", latitude: 0, longitude: 0 };

const USAGE = `Usage: npm run day -- [--players N] [--seed N] [--bug WORDS] [--json]
                      [--seats BY] [--losses HOW]

  --bug     runs with the planted mistake whose name has these words
  --seats   1.3 times what is online at once, "regions": at each region's own peak, or "world": in all
  --losses  of regions: "apart" from each other, or "together"
  --json    prints one line with every figure`;

async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      players: { type: "string", default: "100000" },
      seed: { type: "string", default: "1" },
      bug: { type: "string" },
      seats: { type: "string", default: "regions" },
      losses: { type: "string", default: "apart" },
      json: { type: "boolean", default: false },
    },
  });
  const players = Number(values.players);
  const seed = Number(values.seed);
  const { bug, seats, losses } = values;
  const parts = bug ? PLANTED_BUGS.find(({ name }) => name.includes(bug))?.parts : PRODUCTION;
  if (
    !parts ||
    !isSeatsBy(seats) ||
    !isLosses(losses) ||
    !Number.isInteger(seed) ||
    !(Number.isInteger(players) && players > 0)
  ) {
    console.error(USAGE);
    return 2;
  }
  const locator = new GeoLocator([], NOWHERE);
  await locator.start();
  const progress = (line: string) => console.error(line);
  const report = simulateDay({ players, seed, locator, seats, losses, parts, progress });
  console.log(values.json ? JSON.stringify(report) : inWords(report));
  return report.missed.length > 0 ? 1 : 0;
}

function inWords(report: Report): string {
  const { addedMs, addedUnmeasuredMs, addedReplacedMs, imbalance, missed } = report;
  return [
    `seed ${report.seed}: ${report.players} players, ${report.placings} placings`,
    `${report.peak} at once at most, ${report.seats} seats; ${report.outages.join("; ")}`,
    `added latency: median ${addedMs.median} ms, p99 ${addedMs.p99} ms`,
    `  unmeasured: ${addedUnmeasuredMs.median} and ${addedUnmeasuredMs.p99} ms`,
    `  after a loss (${addedReplacedMs.count}): ${addedReplacedMs.median} and ${addedReplacedMs.p99} ms`,
    `fullest region at most ${report.fullestMax}, ${imbalance.mean} times the world's mean, ${imbalance.max} at most`,
    `flaps per player ${report.flapsPerPlayer}, moves ${report.movesPerPlayer}, ${report.returns} returns`,
    `refused ${report.refused}, over capacity: ${report.overCapacity.join(", ") || "none"}`,
    missed.length > 0 ? `✗ missed: ${missed.join(", ")}` : "✓ all goals",
  ].join("\n");
}

process.exitCode = await main(process.argv.slice(2));
