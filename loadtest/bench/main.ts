/**
 * `npm run bench -- NAME [--json] [--quick]`: runs one benchmark, or lists them.
 *
 * Absolute times wobble from machine to machine, so every benchmark measures a floor or a peer in the
 * same run, alternating, and reports the ratio. With `--json` the last line is one JSON object.
 */
import { parseArgs } from "node:util";
import type { Benchmark } from "./benchmark.ts";
import { evacuateBenchmark } from "./evacuate/evacuate.ts";
import { failoverBenchmark } from "./failover/failover.ts";
import { herdBenchmark } from "./herd/herd.ts";
import { idleBenchmark } from "./idle/idle.ts";
import { joinBenchmark } from "./join/join.ts";
import { ledgerBenchmark } from "./ledger/ledger.ts";
import { loadBenchmark } from "./load/load.ts";
import { logInTargets } from "./log-in-targets.ts";
import { overloadBenchmark } from "./overload/overload.ts";
import { queueBenchmark } from "./queue/queue.ts";
import { replicationBenchmark } from "./replication/replication.ts";
import { roomsBenchmark } from "./rooms/benchmark.ts";
import { routeBenchmark } from "./route/route.ts";
import { stuffingBenchmark } from "./stuffing.ts";
import { syncBenchmark } from "./sync/sync.ts";
import { ticketBenchmark } from "./ticket.ts";

const benchmarks: readonly Benchmark[] = [
  ticketBenchmark,
  stuffingBenchmark,
  joinBenchmark,
  idleBenchmark,
  roomsBenchmark,
  ledgerBenchmark,
  syncBenchmark,
  routeBenchmark,
  overloadBenchmark,
  queueBenchmark,
  failoverBenchmark,
  evacuateBenchmark,
  herdBenchmark,
  replicationBenchmark,
  loadBenchmark,
];

const usage = `Usage: npm run bench -- NAME [--quick] [--json] [--target NAME]

  --quick   a shorter run, within 60 s ("queue", "overload" and "load" take some minutes)
  --json    end with one line of JSON that holds every figure
  --target  what "stuffing" attacks: ${logInTargets.map(({ name }) => name).join(", ")}

Benchmarks:
${benchmarks.map(({ name, description }) => `  ${name.padEnd(12)}${description}`).join("\n")}`;

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      target: { type: "string" },
      quick: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const name = positionals[0];
  if (values.help || name === undefined) {
    console.log(usage);
    return values.help ? 0 : 2;
  }
  const benchmark = benchmarks.find((one) => one.name === name);
  if (!benchmark) {
    console.error(`There is no benchmark "${name}".\n\n${usage}`);
    return 2;
  }
  console.log(`${benchmark.name}: ${benchmark.description}`);
  const { quick, target } = values;
  const say = (line: string) => console.log(line);
  const figures = await benchmark.run({ quick, say, ...(target !== undefined && { target }) });
  if (values.json) console.log(JSON.stringify({ benchmark: name, ...figures }));
  return 0;
}

// Ended, not left to end: see infra/test/lingering.ts for what Node may do with sockets at a natural end.
try {
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
