/** The status on standard output: one line that is rewritten on a terminal, plain lines on a pipe. */
import type { WriteStream } from "node:tty";
import type { Cancel, Clock } from "../../shared/clock.ts";

const TERMINAL_EVERY_MS = 1_000;
const PIPE_EVERY_MS = 5_000;
const COLUMNS_DEFAULT = 80;
const CLEAR_LINE = "\r\u001b[K";

export type Output = Pick<WriteStream, "write"> & Partial<Pick<WriteStream, "isTTY" | "columns">>;

/** Shows the line again and again. @returns stops it; the last line stays */
export function showStatus(line: () => string, output: Output, clock: Clock): Cancel {
  if (!output.isTTY) return clock.every(PIPE_EVERY_MS, () => output.write(`${line()}\n`));
  const show = () => {
    // A line that wraps could not be rewritten.
    const width = (output.columns ?? COLUMNS_DEFAULT) - 1;
    output.write(`${CLEAR_LINE}${line().slice(0, width)}`);
  };
  show();
  const cancel = clock.every(TERMINAL_EVERY_MS, show);
  return () => {
    cancel();
    show();
    output.write("\n");
  };
}
