/** The lines that tell how a start goes: one for each part, with its seconds. */
import { type Clock, systemClock } from "../../shared/clock.ts";

const PATIENCE_MS = 5_000;
const NAME_WIDTH = 18;

export type Report = (line: string) => void;

/**
 * Runs a step, and reports its end in one line; every 5 s before that, that it is still under way.
 * @param detail what to add to the line, from the step's result
 * @throws the step's own error, in one line that names it
 */
export async function reported<T>(
  report: Report,
  name: string,
  step: () => Promise<T>,
  detail: (result: T) => string = () => "",
  clock: Clock = systemClock,
): Promise<T> {
  const beganMs = clock.monotonicMs();
  const seconds = () => `${((clock.monotonicMs() - beganMs) / 1000).toFixed(1)} s`;
  const cancel = clock.every(PATIENCE_MS, () =>
    report(`… ${name.padEnd(NAME_WIDTH)} ${seconds()}`),
  );
  try {
    const result = await step();
    report(`✓ ${name.padEnd(NAME_WIDTH)} ${seconds().padStart(6)}  ${detail(result)}`.trimEnd());
    return result;
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`${name}: ${why}`, { cause });
  } finally {
    cancel();
  }
}
