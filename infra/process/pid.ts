/**
 * What can be known of, and done to, a process by its number alone.
 *
 * A number out of a file may have been given to a stranger since (likely in containers, where numbers
 * are small): `workingDirectory` and `commandLine` tell whether a process is the one that is meant.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, readlinkSync } from "node:fs";
import { sleep, systemClock } from "../../shared/clock.ts";

const POLL_MS = 20;
const STRANGER_POLL_MS = 250;

/** Whether the process runs. One that ended and that nobody has waited for yet does not. */
export function isAlive(pid: number): boolean {
  // To the system, 0 and below mean groups of processes.
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return hasCode(error, "EPERM");
  }
  if (process.platform !== "linux") return true;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The state follows the name, which stands in parentheses and may hold anything.
    return !/^\) [ZX]/.test(stat.slice(stat.lastIndexOf(")")));
  } catch {
    // It ended between the two looks.
    return false;
  }
}

/** The folder a process runs in; undefined when it is gone, another user's, or this isn't Linux. */
export function workingDirectory(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    // No such process, no such file system, or not allowed: all mean "not known".
    return undefined;
  }
}

/** The command line of a process, its words separated by blanks; empty when it is gone. */
export function commandLine(pid: number): string {
  if (process.platform === "linux") {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
    } catch {
      // The process is gone.
      return "";
    }
  }
  return ps(pid, "command=");
}

/**
 * Tells two processes apart that had the same number: when it started, in the system's own units.
 * Undefined when it is gone.
 */
export function birthOf(pid: number): string | undefined {
  if (!isAlive(pid)) return undefined;
  if (process.platform !== "linux") return ps(pid, "lstart=") || undefined;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // Field 22 of proc(5); the name before the last parenthesis is field 2.
    return stat.slice(stat.lastIndexOf(")")).split(" ")[20];
  } catch {
    // It ended between the two looks.
    return undefined;
  }
}

/** Sends a signal; false when the process is gone or may not be signalled. */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    // ESRCH or EPERM, and either way nothing was sent.
    return false;
  }
}

/** Waits until the process has ended; false when it still runs after `deadlineMs`. */
export async function waitForEnd(pid: number, deadlineMs: number): Promise<boolean> {
  const endMs = systemClock.monotonicMs() + deadlineMs;
  while (isAlive(pid)) {
    if (systemClock.monotonicMs() >= endMs) return false;
    await sleep(systemClock, POLL_MS);
  }
  return true;
}

/** Resolves when a process that may not be a child of this one has ended. Holds nothing up. */
export function whenEnded(pid: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (isAlive(pid)) return;
      clearInterval(timer);
      resolve();
    }, STRANGER_POLL_MS);
    timer.unref();
  });
}

/** One step of ending a process: the signal, and how long to wait for it to help, ms. */
export type EndStep = readonly [signal: NodeJS.Signals, waitMs: number];

/** Ends a process by signals of growing rudeness. @throws when it outlives them all */
export async function endProcess(pid: number, steps: readonly EndStep[]): Promise<void> {
  for (const [signal, waitMs] of steps) {
    signalProcess(pid, signal);
    if (await waitForEnd(pid, waitMs)) return;
  }
  throw new Error(`process ${pid} does not end, not even by ${steps.at(-1)?.[0] ?? "a signal"}`);
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

function ps(pid: number, column: string): string {
  const args = ["-ww", "-o", column, "-p", String(pid)];
  return spawnSync("ps", args, { encoding: "utf8", timeout: 5_000 }).stdout.trim();
}
