/** Ctrl-C while a benchmark runs servers: they are stopped first. */
import { systemClock } from "../../shared/clock.ts";
import { watchInterrupts } from "../bots/interrupts.ts";

/** As a shell reports an end by Ctrl-C. */
const EXIT_FORCED = 130;

/** @returns aborts at the first Ctrl-C; a further one ends this process at once */
export function interruption(): AbortSignal {
  const asked = new AbortController();
  watchInterrupts({
    source: process,
    clock: systemClock,
    onAsked: () => asked.abort(new Error("interrupted")),
    onForced: () => process.exit(EXIT_FORCED),
  });
  return asked.signal;
}
