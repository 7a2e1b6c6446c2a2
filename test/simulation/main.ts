/**
 * Repeats one seed with everything that happened in it, or looks for one that breaks an invariant:
 *
 *     node test/simulation/main.ts --seed 361
 *     node test/simulation/main.ts --seed 1 --count 10000
 *     node test/simulation/main.ts --failover --seed 1 --count 10000
 *     node test/simulation/main.ts --seed 361 --bug "sequence is taken at the enqueue"
 */
import { parseArgs } from "node:util";
import { PLANTED_BUGS as FAILOVER_BUGS } from "./failover/planted-bugs.ts";
import { simulate as simulateFailover } from "./failover/simulate.ts";
import { PRODUCTION } from "./parts.ts";
import { PLANTED_BUGS } from "./planted-bugs.ts";
import { simulate } from "./simulate.ts";
import type { Violation } from "./violation.ts";

type Outcome = ReturnType<Run>;
/** One world, from one seed. */
type Run = (options: { readonly seed: number; readonly say?: (line: string) => void }) => {
  readonly seed: number;
  readonly steps: number;
  readonly faults: readonly string[];
  readonly crashed?: readonly string[];
  readonly violation: Violation | undefined;
};

function main(args: readonly string[]): number {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: "string", default: "1" },
      count: { type: "string", default: "1" },
      bug: { type: "string" },
      failover: { type: "boolean", default: false },
    },
  });
  const first = Number(values.seed);
  const count = Number(values.count);
  const run = runOf(values.failover, values.bug);
  if (!run || !Number.isInteger(first) || !Number.isInteger(count)) {
    console.error("Usage: main.ts [--seed N] [--count N] [--bug WORDS] [--failover]");
    return 2;
  }
  const say = count === 1 ? (line: string) => console.log(line) : undefined;
  for (let seed = first; seed < first + count; seed += 1) {
    const outcome = run({ seed, ...(say && { say }) });
    if (outcome.violation || count === 1) console.log(summaryOf(outcome));
    if (outcome.violation) return 1;
  }
  return 0;
}

/** @param bug words of the name of one that is planted */
function runOf(failover: boolean, bug: string | undefined): Run | undefined {
  if (failover) {
    const planted = FAILOVER_BUGS.find(({ name }) => bug && name.includes(bug));
    if (bug && !planted) return undefined;
    return (options) => simulateFailover({ ...options, ...(planted && { parts: planted.parts }) });
  }
  const parts = bug ? PLANTED_BUGS.find(({ name }) => name.includes(bug))?.parts : PRODUCTION;
  return parts && ((options) => simulate({ ...options, parts }));
}

function summaryOf({ seed, steps, faults, crashed = [], violation }: Outcome): string {
  const what = violation ? `✗ ${violation.message}` : "nothing was wrong";
  return `seed ${seed}, ${steps} steps, ${[...faults, ...crashed].join(", ")}: ${what}`;
}

process.exitCode = main(process.argv.slice(2));
