/**
 * Repeats one seed with everything that happened in it, or looks for one that breaks an invariant:
 *
 *     node test/simulation/main.ts --seed 361
 *     node test/simulation/main.ts --seed 1 --count 10000
 *     node test/simulation/main.ts --seed 361 --bug "sequence is taken at the enqueue"
 */
import { parseArgs } from "node:util";
import { PRODUCTION } from "./parts.ts";
import { PLANTED_BUGS } from "./planted-bugs.ts";
import { type Outcome, simulate } from "./simulate.ts";

function main(args: readonly string[]): number {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: "string", default: "1" },
      count: { type: "string", default: "1" },
      bug: { type: "string" },
    },
  });
  const first = Number(values.seed);
  const count = Number(values.count);
  const { bug } = values;
  const parts = bug ? PLANTED_BUGS.find(({ name }) => name.includes(bug))?.parts : PRODUCTION;
  if (!parts || !Number.isInteger(first) || !Number.isInteger(count)) {
    console.error("Usage: main.ts [--seed N] [--count N] [--bug WORDS]");
    return 2;
  }
  const say = count === 1 ? (line: string) => console.log(line) : undefined;
  for (let seed = first; seed < first + count; seed += 1) {
    const outcome = simulate({ seed, parts, ...(say && { say }) });
    if (outcome.violation || count === 1) console.log(summaryOf(outcome));
    if (outcome.violation) return 1;
  }
  return 0;
}

function summaryOf({ seed, steps, faults, crashed, violation }: Outcome): string {
  const what = violation ? `✗ ${violation.message}` : "nothing was wrong";
  return `seed ${seed}, ${steps} steps, ${[...faults, ...crashed].join(", ")}: ${what}`;
}

process.exitCode = main(process.argv.slice(2));
