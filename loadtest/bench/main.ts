/**
 * `npm run bench -- NAME|--all [--json] [--quick] [--report]`: runs one benchmark or all, or lists them.
 *
 * Absolute times wobble from machine to machine, so every benchmark measures a floor or a peer in the
 * same run, alternating, and reports the ratio. With `--json` the last line is one JSON object.
 */
import { parseArgs } from "node:util";
import { benchmarks } from "./benchmarks.ts";
import { logInTargets } from "./log-in-targets.ts";
import { circumstances } from "./report/circumstances.ts";
import { keepRun, rewritePage } from "./report/report.ts";
import { runAll } from "./run-all.ts";

const usage = `Usage: npm run bench -- NAME|--all [--quick] [--json] [--report] [--target NAME]

  --all     all benchmarks, one after the other; takes hours
  --quick   shorter runs, within 60 s each ("queue", "overload" and "load" take some minutes)
  --json    end with one line of JSON that holds every figure
  --report  keep the figures in docs/benchmarks.json, and make docs/benchmarks.md of them;
            alone, make it anew of what is kept, after a change to loadtest/bench/pages
  --target  what "stuffing" attacks, all by default: ${logInTargets.map(({ name }) => name).join(", ")}

Benchmarks:
${benchmarks.map(({ name, description }) => `  ${name.padEnd(12)}${description}`).join("\n")}`;

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      all: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      report: { type: "boolean", default: false },
      target: { type: "string" },
      quick: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const { all, quick, json, report, target, help } = values;
  const [name, ...more] = positionals;
  if (help || (name === undefined && !all && !report)) {
    console.log(usage);
    return help ? 0 : 2;
  }
  if (more.length > 0 || (all && (name !== undefined || target !== undefined))) {
    console.error(`One NAME, or --all alone.\n\n${usage}`);
    return 2;
  }
  if (report && target !== undefined) {
    console.error("A report needs the figures of all targets: leave out --target.");
    return 2;
  }
  if (name === undefined && !all) {
    return isPageMade() ? 0 : 1;
  }
  // What is checked out when it begins is what is measured.
  const where = report ? circumstances() : undefined;
  let isPageWrong = false;
  const keep = (one: string, figures: Figures, seconds: number) => {
    if (!where) return;
    const date = new Date().toISOString().slice(0, 10);
    const tookS = Math.round(seconds);
    keepRun(one, { date, ...where, quick, tookS, figures }, benchmarks);
    // The figures of a long run stay, whatever is wrong with the page, which may be made anew.
    isPageWrong = !isPageMade();
  };
  const say = (line: string) => console.log(line);
  if (all) {
    const { figures, failed } = await runAll({ benchmarks, quick, say, keep });
    if (json) console.log(JSON.stringify(figures));
    return failed.length === 0 && !isPageWrong ? 0 : 1;
  }
  const benchmark = benchmarks.find((one) => one.name === name);
  if (!benchmark) {
    console.error(`There is no benchmark "${name}".\n\n${usage}`);
    return 2;
  }
  console.log(`${benchmark.name}: ${benchmark.description}`);
  const beganMs = performance.now();
  const figures = await benchmark.run({ quick, say, ...(target !== undefined && { target }) });
  keep(benchmark.name, figures, (performance.now() - beganMs) / 1_000);
  if (json) console.log(JSON.stringify({ benchmark: name, ...figures }));
  return isPageWrong ? 1 : 0;
}

type Figures = Readonly<Record<string, unknown>>;

function isPageMade(): boolean {
  try {
    console.log(`wrote ${rewritePage(benchmarks)}`);
    return true;
  } catch (error) {
    console.error(`✗ ${error instanceof Error ? error.message : error}`);
    return false;
  }
}

// Run by `--all`: its end, whatever it was, is a Ctrl-C to this one.
process.once("disconnect", () => process.kill(process.pid, "SIGINT"));
process.channel?.unref();

// Ended, not left to end: see infra/test/lingering.ts for what Node may do with sockets at a natural end.
try {
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
