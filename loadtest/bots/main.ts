/** `npm run bots`: fills the arena of a running world with bots, until it is told to stop. */
import { randomInt } from "node:crypto";
import { Meridian } from "../../shared/client/meridian.ts";
import { sleep, systemClock } from "../../shared/clock.ts";
import { isFailure } from "../../shared/errors.ts";
import { createBots, runBots } from "./crowd.ts";
import { watchInterrupts } from "./interrupts.ts";
import { type BotsOptions, parseBotsOptions, SEED_MAX, USAGE } from "./options.ts";
import { statusLine, summaryText } from "./report.ts";
import { Tally, takeCensus } from "./tally.ts";
import { showStatus } from "./terminal.ts";

/** Of the 3 s that a Ctrl-C may take; whoever is still at the door then is cut off. */
const LEAVE_DEADLINE_MS = 2_500;
/** As a shell reports an end by Ctrl-C. */
const EXIT_FORCED = 130;

async function main(options: BotsOptions): Promise<number> {
  const { url, players, arrivePerSecond, seconds, seed = randomInt(SEED_MAX) } = options;
  const clock = systemClock;
  const unreachable = await whyUnreachable(url);
  if (unreachable !== undefined) {
    console.error(`✗ the core at ${url} can't be reached (${unreachable}): is it up? npm start`);
    return 1;
  }
  const stop = new AbortController();
  watchInterrupts({
    source: process,
    clock,
    onAsked: () => stop.abort(),
    onForced: () => process.exit(EXIT_FORCED),
  });
  if (seconds !== undefined) clock.after(seconds * 1_000, () => stop.abort());
  // A reader that went away, such as `head`, must not keep the bots from leaving.
  process.stdout.on("error", () => stop.abort());

  console.log(`${players} bots for ${url}, ${arrivePerSecond} a second, seed ${seed}`);
  const beganMs = clock.monotonicMs();
  const tally = new Tally(() => clock.monotonicMs() - beganMs);
  const bots = createBots({ players, url, seed, clock, tally });
  const census = () => takeCensus(bots.map(({ connection }) => connection));
  const stopStatus = showStatus(() => statusLine(census(), tally), process.stdout, clock);
  const leftInTime = await Promise.race([
    runBots(bots, { arrivePerSecond, clock, signal: stop.signal }).then(() => true),
    aborted(stop.signal)
      .then(() => sleep(clock, LEAVE_DEADLINE_MS))
      .then(() => false),
  ]);
  stopStatus();
  const unfinished = leftInTime ? 0 : Object.values(census().bots).reduce((a, b) => a + b);
  console.log(summaryText(tally, unfinished));
  if (tally.joins > 0) return 0;
  console.error("✗ nobody ever played");
  return 1;
}

/** @returns undefined when a core answers there */
async function whyUnreachable(url: string): Promise<string | undefined> {
  try {
    await new Meridian({ url }).regions();
    return undefined;
  } catch (error) {
    if (!isFailure(error)) throw error;
    return error.kind;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

let options: BotsOptions;
try {
  options = parseBotsOptions(process.argv.slice(2));
} catch (error) {
  const line = error instanceof Error ? error.message : String(error);
  console.error(`✗ ${line}\n  npm run bots -- --help lists the options`);
  process.exit(2);
}
if (options.help) {
  console.log(USAGE);
} else {
  // Explicit, because joins that were cut off would keep the process alive until their deadlines.
  process.exit(await main(options));
}
