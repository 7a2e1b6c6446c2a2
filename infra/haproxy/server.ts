/**
 * Runs a real HAProxy on one machine. Layout of `dir`: `haproxy.cfg`, `haproxy.log`. It has no data, and does not
 * notice that whoever started it is gone: its number is told, so that the next start can end it.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sleep, systemClock } from "../../shared/clock.ts";
import { findProgram } from "../process/find-program.ts";
import { lastLines, truncateLog } from "../process/log-file.ts";
import { type EndStep, endProcess } from "../process/pid.ts";
import { launchServer, type ServerProcess, serverProcess } from "../process/server-process.ts";

export interface HaproxyOptions {
  /** Made when missing. */
  readonly dir: string;
  /** The program, from `findHaproxy`. */
  readonly serverPath: string;
  /** The text of its configuration. */
  readonly config: string;
  /** Whether it serves. */
  readonly isReady: () => Promise<boolean>;
  readonly onSpawned: (pid: number) => void;
  /** Gives up on a start, and ends what it began. */
  readonly signal?: AbortSignal;
}

/** The server's output, in `dir`. */
export const HAPROXY_LOG = "haproxy.log";

const CONFIG_FILE = "haproxy.cfg";
const INSTALL = 'install it ("apt-get install haproxy", "brew install haproxy"), or set HAPROXY';
/** Where systems put servers, which a normal user's PATH may leave out. */
const FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/opt/homebrew/bin"];
/** Of typed errors and health checks with paths of their own. */
const OLDEST = { major: 2, minor: 4 };
const START_DEADLINE_MS = 15_000;
const POLL_MS = 20;
export const HAPROXY_STOP_STEPS: readonly EndStep[] = [
  // At once: a soft stop waits for connections.
  ["SIGTERM", 1_000],
  ["SIGKILL", 1_000],
];

/** @throws one clear line when there is none, or it is too old */
export function findHaproxy(env: {
  readonly PATH?: string | undefined;
  readonly HAPROXY?: string | undefined;
}): string {
  return findProgram({
    name: "HAProxy",
    program: "haproxy",
    given: env.HAPROXY,
    path: env.PATH,
    folders: FOLDERS,
    version: /HAProxy version (\d+)\.(\d+)/i,
    versionArgument: "-v",
    oldest: OLDEST,
    install: INSTALL,
  });
}

/** @throws one clear line when it can't be started within 15 s */
export async function startHaproxy(options: HaproxyOptions): Promise<ServerProcess> {
  const { dir, serverPath, config, isReady, onSpawned, signal } = options;
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const configFile = join(dir, CONFIG_FILE);
  writeFileSync(configFile, config, { mode: 0o600 });
  const logFile = join(dir, HAPROXY_LOG);
  truncateLog(logFile);
  const { pid, ended, failure } = launchServer({
    program: serverPath,
    args: ["-db", "-f", CONFIG_FILE],
    cwd: dir,
    logFile,
  });
  if (pid !== undefined) onSpawned(pid);
  const endMs = systemClock.monotonicMs() + START_DEADLINE_MS;
  while (pid !== undefined && failure() === undefined && !signal?.aborted) {
    if (systemClock.monotonicMs() >= endMs) break;
    if (await isReady()) return serverProcess(pid, HAPROXY_STOP_STEPS, ended);
    await sleep(systemClock, POLL_MS, signal);
  }
  if (pid !== undefined) await endProcess(pid, HAPROXY_STOP_STEPS);
  const telling = lastLines(logFile).findLast((line) => /alert|fatal|error/i.test(line));
  throw new Error(`HAProxy did not start: ${telling ?? failure() ?? "it does not answer"}`);
}
