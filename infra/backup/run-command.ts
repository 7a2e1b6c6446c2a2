/** Runs a command on a terminal: lines, exit codes, and Ctrl-C, which calls it off; once more ends it at once. */

/** As a shell reports an end by Ctrl-C. */
const EXIT_INTERRUPTED = 130;

export async function runCommand(
  usage: string,
  usageError: new (message: string) => Error,
  run: (signal: AbortSignal, say: (line: string) => void) => Promise<number>,
): Promise<void> {
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(EXIT_INTERRUPTED);
      stop.abort();
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
