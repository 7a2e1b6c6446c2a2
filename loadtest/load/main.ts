/** `npm run load`: loads a Meridian with k6, or finds out how much one of its nodes takes. */
import { systemClock } from "../../shared/clock.ts";
import { watchInterrupts } from "../bots/interrupts.ts";
import { capacityByOptions } from "./capacity/capacity.ts";
import { type AskedFor, type LoadOptions, parseLoadOptions } from "./options.ts";
import { endText, jsonLine } from "./output.ts";
import { runByOptions, type Surroundings } from "./scenario-run.ts";
import type { LoadSummary } from "./summary.ts";
import { capacityUsage, scenarioUsage, usageText } from "./usage.ts";
import { UsageError } from "./usage-error.ts";

const EXIT = { held: 0, broken: 1, usage: 2, couldNotRun: 3, interrupted: 130 } as const;

async function main(asked: AskedFor): Promise<number> {
  const asksEnd = new AbortController();
  const forced = new AbortController();
  watchInterrupts({
    source: process,
    clock: systemClock,
    onAsked: () => {
      console.log("\nstopping; once more ends everything at once");
      asksEnd.abort(new Error("interrupted"));
    },
    onForced: () => {
      forced.abort();
      // What was killed needs nobody to wait for it.
      process.exit(EXIT.interrupted);
    },
  });
  // A reader that went away, such as `head`, must not keep the servers from being stopped.
  process.stdout.on("error", () => asksEnd.abort(new Error("interrupted")));
  const around: Surroundings = {
    env: process.env,
    clock: systemClock,
    say: (line) => console.log(line),
    output: process.stdout,
    signal: asksEnd.signal,
    killSignal: forced.signal,
  };
  try {
    if (asked.kind === "capacity") {
      return (await capacityByOptions(asked, around)) ? EXIT.held : EXIT.broken;
    }
    const { summary, dir } = await runByOptions(asked.run, around);
    console.log(`\n${endText(summary, dir)}`);
    if (asked.run.json) console.log(jsonLine(summary, dir));
    return EXIT_OF[summary.outcome];
  } catch (error) {
    if (asksEnd.signal.aborted) return EXIT.interrupted;
    throw error;
  }
}

const EXIT_OF: Readonly<Record<LoadSummary["outcome"], number>> = {
  passed: EXIT.held,
  failed: EXIT.broken,
  interrupted: EXIT.interrupted,
  broken: EXIT.couldNotRun,
};

function helpOf({ asked }: LoadOptions): string {
  if (!asked) return usageText();
  return asked.kind === "capacity" ? capacityUsage() : scenarioUsage(asked.run.scenario);
}

/** @returns the exit code */
function failed(error: unknown): number {
  const line = error instanceof Error ? error.message : String(error);
  const isUsage = error instanceof UsageError;
  console.error(
    `✗ ${line}${isUsage ? "\n  npm run load -- --help lists scenarios and options" : ""}`,
  );
  return isUsage ? EXIT.usage : EXIT.couldNotRun;
}

let code: number;
try {
  const options = parseLoadOptions(process.argv.slice(2));
  if (options.help || !options.asked) {
    console.log(helpOf(options));
    code = EXIT.held;
  } else code = await main(options.asked);
} catch (error) {
  code = failed(error);
}
// Ended, not left to end: see infra/test/lingering.ts for what Node may do with sockets at a natural end.
process.exit(code);
