/**
 * What to do about a server that an earlier, killed parent left behind. `postmaster.pid` names it, but
 * the number may belong to a stranger by now, so a process counts as the server of a folder only when
 * it runs in that folder. It is adopted when it answers to the folder's password, ended when it does not;
 * a file that names no such process is cleared, which PostgreSQL itself would not dare.
 */
import { readFileSync, realpathSync, rmSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { sleep, systemClock } from "../../shared/clock.ts";
import {
  commandLine,
  type EndStep,
  endProcess,
  hasCode,
  isAlive,
  workingDirectory,
} from "../process/pid.ts";

export interface Adopted {
  readonly pid: number;
  readonly port: number;
}

/** SIGINT is a fast shutdown: it rolls back what is open and writes a checkpoint. */
export const STOP_STEPS: readonly EndStep[] = [
  ["SIGINT", 2_500],
  ["SIGQUIT", 1_000],
  ["SIGKILL", 1_000],
];

/** For one that hangs: leave at once, and recover at the next start. */
const HANG_STEPS: readonly EndStep[] = STOP_STEPS.slice(1);
const HOST = "127.0.0.1";
const PROBE_MS = 2_000;
const POLL_MS = 100;

/** The server of `dir` that still runs and answers, if any; otherwise a start may follow. */
export async function adoptOrClear(
  dir: string,
  password: string,
  expired: () => boolean,
  log: (line: string) => void,
): Promise<Adopted | undefined> {
  const found = findServer(dir);
  if (found) {
    const { pid, port } = found;
    // One that was just started may still be recovering.
    while (isAlive(pid) && !expired()) {
      if (port > 0 && (await answers(urlOf(port, password)))) {
        log("PostgreSQL still ran: adopted it");
        return found;
      }
      await sleep(systemClock, POLL_MS);
    }
    log("PostgreSQL still ran but does not answer: ending it");
    await endProcess(pid, HANG_STEPS);
  }
  rmSync(pidFile(dir), { force: true });
  return undefined;
}

/** Ends the server of `dataDir`, if one runs. */
export async function stopLeftoverPostgres(dataDir: string): Promise<void> {
  const found = findServer(dataDir);
  if (found) await endProcess(found.pid, STOP_STEPS);
}

/** Whether a server answers to this URL within 2 s. */
export async function answers(connectionString: string): Promise<boolean> {
  const client = new pg.Client({
    connectionString,
    connectionTimeoutMillis: PROBE_MS,
    query_timeout: PROBE_MS,
  });
  // A connection that breaks while idle reports here; the query's own failure is what counts.
  client.on("error", () => {});
  try {
    await client.connect();
    await client.query("select 1");
    return true;
  } catch {
    // Refused, still recovering, or not ours: the caller asks again until its deadline.
    return false;
  } finally {
    await client.end().catch(() => {
      // It never connected, or is closed already.
    });
  }
}

export function urlOf(port: number, password: string): string {
  return `postgresql://postgres:${password}@${HOST}:${port}/postgres`;
}

function findServer(dir: string): { pid: number; port: number } | undefined {
  let lines: string[];
  try {
    lines = readFileSync(pidFile(dir), "utf8").split("\n");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
  // The first line is the process, the fourth the port; a server that only just starts has no port.
  const pid = Number.parseInt(lines[0] ?? "", 10);
  const port = Number.parseInt(lines[3] ?? "", 10);
  const data = join(dir, "data");
  if (!isAlive(pid) || !runsIn(pid, data)) return undefined;
  return { pid, port: Number.isInteger(port) ? port : 0 };
}

function runsIn(pid: number, data: string): boolean {
  const real = realpathSync(data);
  if (process.platform === "linux") return workingDirectory(pid) === real;
  return commandLine(pid).includes(real);
}

function pidFile(dir: string): string {
  return join(dir, "data", "postmaster.pid");
}
