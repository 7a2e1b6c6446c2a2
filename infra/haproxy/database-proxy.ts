/**
 * Runs HAProxy in front of a pair of databases on this machine. Layout of `dir`: `haproxy.cfg`, `haproxy.log`,
 * `haproxy.pid`. It has no data: one that a killed parent left is ended before the next starts.
 */
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sleep, systemClock } from "../../shared/clock.ts";
import { findProgram } from "../process/find-program.ts";
import { lastLines, truncateLog } from "../process/log-file.ts";
import { type EndStep, endProcess, isAlive, workingDirectory } from "../process/pid.ts";
import { isPortFree } from "../process/port.ts";
import { launchServer, type ServerProcess, serverProcess } from "../process/server-process.ts";

export interface DatabaseProxyRun {
  readonly dir: string;
  /** The program, from `findHaproxy`. */
  readonly program: string;
  readonly config: string;
  /** On 127.0.0.1. */
  readonly port: number;
  /** Whether it can be used: it takes every member for up until it has asked. */
  readonly ready: () => Promise<boolean>;
  readonly signal?: AbortSignal;
}

interface HaproxyEnv {
  readonly PATH?: string | undefined;
  readonly HAPROXY?: string | undefined;
}

export const DATABASE_PROXY_LOG = "haproxy.log";

const HOST = "127.0.0.1";
const PID_FILE = "haproxy.pid";
const CONFIG_FILE = "haproxy.cfg";
const FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/opt/homebrew/sbin", "/opt/homebrew/bin"];
/** The first with all that the configuration says. */
const OLDEST = { major: 2, minor: 2 };
const START_DEADLINE_MS = 10_000;
const PORT_DEADLINE_MS = 2_000;
const POLL_MS = 25;
const STOP_STEPS: readonly EndStep[] = [
  ["SIGTERM", 1_000],
  ["SIGKILL", 1_000],
];

/** @throws one clear line when there is none, or it is too old */
export function findHaproxy(env: HaproxyEnv): string {
  return findProgram({
    name: "HAProxy",
    program: "haproxy",
    given: env.HAPROXY,
    path: env.PATH,
    folders: FOLDERS,
    version: /version (\d+)\.(\d+)/,
    oldest: OLDEST,
    install: 'install it ("apt-get install haproxy"), or set HAPROXY',
  });
}

/** Resolves when it is ready. @throws one clear line when it does not within 10 s */
export async function startDatabaseProxy(options: DatabaseProxyRun): Promise<ServerProcess> {
  const { program, config, port, ready, signal } = options;
  mkdirSync(options.dir, { recursive: true, mode: 0o700 });
  const dir = realpathSync(options.dir);
  await stopLeftoverDatabaseProxy(dir);
  await requireFreePort(port);
  writeFileSync(join(dir, CONFIG_FILE), config, { mode: 0o600 });
  const logFile = join(dir, DATABASE_PROXY_LOG);
  truncateLog(logFile);
  const args = ["-db", "-f", CONFIG_FILE];
  const { pid, ended, failure } = launchServer({ program, args, cwd: dir, logFile });
  if (pid !== undefined) writeFileSync(join(dir, PID_FILE), `${pid}\n`);
  const endMs = systemClock.monotonicMs() + START_DEADLINE_MS;
  while (pid !== undefined && failure() === undefined && !signal?.aborted) {
    if (systemClock.monotonicMs() >= endMs) break;
    if (await ready()) return serverProcess(pid, STOP_STEPS, ended);
    await sleep(systemClock, POLL_MS, signal);
  }
  if (pid !== undefined) await endProcess(pid, STOP_STEPS);
  const words = lastLines(logFile).at(-1) ?? "it logged nothing";
  throw new Error(`HAProxy did not start: ${failure() ?? words}`);
}

/** Ends the one of `dir`, if a killed parent left one. */
export async function stopLeftoverDatabaseProxy(dir: string): Promise<void> {
  const path = join(dir, PID_FILE);
  if (!existsSync(path)) return;
  const pid = Number.parseInt(readFileSync(path, "utf8"), 10);
  // The number may be a stranger's by now.
  if (isAlive(pid) && workingDirectory(pid) === realpathSync(dir)) {
    await endProcess(pid, STOP_STEPS);
  }
}

async function requireFreePort(port: number): Promise<void> {
  const endMs = systemClock.monotonicMs() + PORT_DEADLINE_MS;
  while (!(await isPortFree(HOST, port))) {
    if (systemClock.monotonicMs() >= endMs) {
      throw new Error(`port ${port} for HAProxy is in use: choose another`);
    }
    await sleep(systemClock, POLL_MS);
  }
}
