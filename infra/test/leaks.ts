/**
 * Finds processes that outlive the tests that started them. Each inherits a mark in its environment, so
 * it is found wherever it went: adopted by init, in a session of its own, under another user.
 */
import { readdirSync, readFileSync } from "node:fs";
import { commandLine, isAlive } from "../process/pid.ts";

export const MARK_NAME = "MERIDIAN_TEST_RUN";

export interface Leaked {
  readonly pid: number;
  readonly command: string;
}

/** Processes with the mark, except this one. Only Linux tells; elsewhere none are found. */
export function findLeaked(mark: string): Leaked[] {
  if (process.platform !== "linux") return [];
  const wanted = `${MARK_NAME}=${mark}`;
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && isAlive(pid) && environmentOf(pid).includes(wanted))
    .map((pid) => ({ pid, command: commandLine(pid) }));
}

function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  } catch {
    // Another user's, or gone: not one of ours.
    return [];
  }
}
