/** Runs a command on a terminal: lines, exit codes, and Ctrl-C, which calls it off; once more ends it at once. */
import { systemClock } from "../../shared/clock.ts";

/** One Ctrl-C reaches this process twice, from the terminal and from npm. */
const SAME_SIGNAL_MS = 300;
/** As a shell reports an end by Ctrl-C. */
const EXIT_INTERRUPTED = 130;

export async function runCommand(
  usage: string,
  usageError: new (message: string) => Error,
  run: (signal: AbortSignal, say: (line: string) => void) => Promise<number>,
): Promise<void> {
  const stop = new AbortController();
  let askedMs = 0;
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(name, () => {
      const nowMs = systemClock.monotonicMs();
      if (!stop.signal.aborted) {
        askedMs = nowMs;
        stop.abort();
      } else if (nowMs - askedMs > SAME_SIGNAL_MS) process.exit(EXIT_INTERRUPTED);
    });
  }
  try {
    process.exitCode = await run(stop.signal, (line) => console.log(line));
  } catch (error) {
    if (stop.signal.aborted) {
      console.error("called off; nothing is left of it");
      process.exitCode = EXIT_INTERRUPTED;
      return;
    }
    const isUsage = error instanceof usageError;
    console.error(`✗ ${error instanceof Error ? error.message : error}`);
    if (isUsage) console.error(`\n${usage}`);
    process.exitCode = isUsage ? 2 : 1;
  }
}
