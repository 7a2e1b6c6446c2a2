/**
 * A new life of a node that starts while the one before runs on: it has loaded its code by now, so
 * players wait only for the moment between the end of one and the start of the other.
 */
import { type Clock, sleep } from "../../shared/clock.ts";

const DEADLINE_MS = 5_000;
const POLL_MS = 10;

/**
 * Tells the former life to hand its rooms over, and waits for its end.
 * @throws when it does not end: it plays on, and this process must not start
 */
export async function succeed(pid: number, clock: Clock): Promise<void> {
  const endsAtMs = clock.monotonicMs() + DEADLINE_MS;
  if (!signalTo(pid, "SIGUSR2")) return;
  while (signalTo(pid, 0)) {
    if (clock.monotonicMs() >= endsAtMs) {
      throw new Error(`process ${pid} did not hand its rooms over: its log says why`);
    }
    await sleep(clock, POLL_MS);
  }
}

/** @returns false when there is no such process (any more) */
function signalTo(pid: number, signal: "SIGUSR2" | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
    throw error;
  }
}
