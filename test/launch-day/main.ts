/**
 * Simulates a launch day with the production's waiting rooms:
 *
 *     npm run launch-day -- --players 1000000 --seed 1 --json
 *     npm run launch-day -- --players 5000 --bug "leaves"
 */
import { parseArgs } from "node:util";
import { PRODUCTION, simulateLaunchDay } from "./day.ts";
import { PLANTED_BUGS } from "./planted-bugs.ts";
import type { LaunchReport } from "./report.ts";

const USAGE = `Usage: npm run launch-day -- [--players N] [--seed N] [--hours N] [--bug WORDS] [--json]

  --hours  how long the day is, 24 by default; the opening is two hours after it begins
  --bug    runs with the planted mistake whose name has these words
  --json   prints one line with every figure`;

function main(args: readonly string[]): number {
  const { values } = parseArgs({
    args: [...args],
    options: {
      players: { type: "string", default: "100000" },
      seed: { type: "string", default: "1" },
      hours: { type: "string", default: "24" },
      bug: { type: "string" },
      json: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const { bug } = values;
  const [players, seed, hours] = [values.players, values.seed, values.hours].map(Number);
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const parts = bug ? PLANTED_BUGS.find(({ name }) => name.includes(bug))?.parts : PRODUCTION;
  if (!parts || !isCount(players) || !isCount(seed) || !isCount(hours) || hours < 3) {
    console.error(USAGE);
    return 2;
  }
  const beganMs = performance.now();
  const progress = (line: string) => {
    console.error(`${Math.round((performance.now() - beganMs) / 1_000)} s, ${line}`);
  };
  const report = simulateLaunchDay({ players, seed, hours, parts, progress });
  progress("done");
  console.log(values.json ? JSON.stringify(report) : inWords(report));
  return report.missed.length > 0 ? 1 : 0;
}

function isCount(value: number | undefined): value is number {
  return value !== undefined && Number.isInteger(value) && value > 0;
}

function inWords(report: LaunchReport): string {
  const { waitsS, etaErrorPct, etaErrorUndisturbedPct, etaErrorSettledPct, heldS, counts, missed } =
    report;
  const waits = Object.entries(waitsS).map(([name, { count, median, p90, max }]) => {
    return `  ${name}: ${count} called after ${median} s in the median, p90 ${p90}, ${max} at most`;
  });
  return [
    `seed ${report.seed}: ${report.players} players, ${report.seats} seats`,
    ...waits,
    `ETA at positions from 100 on (${etaErrorPct.count} told): off by ${etaErrorPct.median}% in the median, p90 ${etaErrorPct.p90}%`,
    `  where no restart or loss came between (${etaErrorUndisturbedPct.count}): ${etaErrorUndisturbedPct.median}%, p90 ${etaErrorUndisturbedPct.p90}%; ${report.etaWithinBounds} within the bounds`,
    `  and told an hour after the opening or later (${etaErrorSettledPct.count}): ${etaErrorSettledPct.median}%, p90 ${etaErrorSettledPct.p90}%`,
    `seats taken while many wait: ${report.utilisation}; held for a call ${heldS.median} s in the median, ${heldS.max} at most`,
    `a party passed by ${report.passedSeatsMax} seats at most; a class waited for ${report.starvedMax} of what it may, and was ahead by ${report.unfairMax}`,
    Object.entries(counts)
      .map(([name, count]) => `${name} ${count}`)
      .join(", "),
    missed.length > 0 ? `✗ missed: ${missed.join(", ")}` : "✓ all goals",
  ].join("\n");
}

process.exitCode = main(process.argv.slice(2));
