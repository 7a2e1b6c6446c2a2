/**
 * Makes a node of a region slow: a busy loop of ordinary weight shares its processor, and it has little weight itself.
 * A generator that verifies what comes costs more than the node that sends it, so that on one machine a whole node can't
 * be brought to its limit. Of a slow one the limit lies where any way of loading gets, and is the same for all of them.
 *
 * Linux only: the weight is that of the process's own session where sessions are scheduled (autogroup), and of its
 * threads where they are not.
 */
import { readdirSync, writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import { fileURLToPath } from "node:url";
import { Child } from "../child.ts";
import { moveTo } from "../processors.ts";

const BUSY_LOOP = fileURLToPath(import.meta.resolve("./busy-loop.ts"));
/** Weighs 110 beside the loop's 1,024: 9.7% of the processor. Of a third of that a node misses heartbeats. */
const NICE = 10;

/** @returns ends the loop; the node keeps its weight */
export async function slowDown(pid: number, processor: number): Promise<() => Promise<void>> {
  moveTo(processor, pid);
  for (const thread of readdirSync(`/proc/${pid}/task`)) setPriority(Number(thread), NICE);
  try {
    writeFileSync(`/proc/${pid}/autogroup`, String(NICE));
  } catch {
    // This kernel does not schedule by sessions: the threads' own weights count.
  }
  const [loop] = await Child.start({ file: BUSY_LOOP });
  moveTo(processor, loop.pid);
  return () => loop.stop();
}
