/**
 * Runs a real PowerDNS for one machine, in front of a responder. Layout of `dir`: `pdns.conf`, `pdns.log`,
 * its control socket. It has no data: nothing is kept over a stop, and one that a killed parent left is
 * ended before the next starts.
 */
import { Resolver } from "node:dns/promises";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";
import { sleep, systemClock } from "../../shared/clock.ts";
import { findProgram } from "../process/find-program.ts";
import { lastLines, truncateLog } from "../process/log-file.ts";
import { type EndStep, endProcess, isAlive, workingDirectory } from "../process/pid.ts";
import { isPortFree } from "../process/port.ts";
import { launchServer, type ServerProcess, serverProcess } from "../process/server-process.ts";
import { pdnsConfig } from "./config.ts";

export interface PdnsRunOptions {
  /** Made when missing. */
  readonly dir: string;
  /** The program, from `findPdnsServer`. */
  readonly serverPath: string;
  readonly address: string;
  /** For UDP and TCP. */
  readonly port: number;
  /** A name server is ready when it answers for this zone. */
  readonly zone: string;
  /** Gives up on a start, and ends what it began. */
  readonly signal?: AbortSignal;
}

export interface PdnsServerOptions extends PdnsRunOptions {
  readonly responderSocket: string;
}

interface PdnsEnv {
  readonly PATH?: string | undefined;
  readonly PDNS_SERVER?: string | undefined;
}

/** The server's output, in `dir`. */
export const PDNS_LOG = "pdns.log";

const CONFIG_FILE = "pdns.conf";
/** Where a start's own words begin in the log. */
const START_MARK = "--- a start of PowerDNS";
const PID_FILE = "server.pid";
const INSTALL =
  'install it with its remote backend ("apt-get install pdns-server pdns-backend-remote"), or set PDNS_SERVER';
/** Where systems put servers, which a normal user's PATH may leave out. */
const FOLDERS = [
  "/usr/local/sbin",
  "/usr/sbin",
  "/sbin",
  "/opt/homebrew/sbin",
  "/opt/homebrew/bin",
];
/** The first whose settings have these names. */
const OLDEST = { major: 4, minor: 5 };
const START_DEADLINE_MS = 15_000;
const PORT_DEADLINE_MS = 2_000;
const PROBE_MS = 500;
const POLL_MS = 25;
const STOP_STEPS: readonly EndStep[] = [
  ["SIGTERM", 1_000],
  ["SIGKILL", 1_000],
];

/**
 * The path of `pdns_server`: what `PDNS_SERVER` names, else the first on the `PATH` or where systems put it.
 * @throws one clear line when there is none, or it is too old
 */
export function findPdnsServer(env: PdnsEnv): string {
  return findProgram({
    name: "PowerDNS",
    program: "pdns_server",
    given: env.PDNS_SERVER,
    path: env.PATH,
    folders: FOLDERS,
    version: /Server (\d+)\.(\d+)\.\d+/,
    oldest: OLDEST,
    install: INSTALL,
  });
}

/** @throws one clear line when the server can't be started within 15 s */
export function startPdns(options: PdnsServerOptions): Promise<ServerProcess> {
  const { address, port, responderSocket } = options;
  mkdirSync(options.dir, { recursive: true, mode: 0o700 });
  const config = pdnsConfig({
    // Seen from where it is started: the whole path may be too long for a socket's.
    responderSocket: relative(realpathSync(options.dir), responderSocket),
    addresses: [address],
    port,
    socketDir: ".",
  });
  return runPdns(config, options);
}

/**
 * Runs it with any configuration; the control socket belongs into `.`, where it is started.
 * @throws one clear line when the server can't be started within 15 s
 */
export async function runPdns(config: string, options: PdnsRunOptions): Promise<ServerProcess> {
  const { serverPath, address, port, zone, signal } = options;
  mkdirSync(options.dir, { recursive: true, mode: 0o700 });
  const dir = realpathSync(options.dir);
  await stopLeftoverPdns(dir);
  await requireFreePort(address, port);
  writeFileSync(join(dir, CONFIG_FILE), config, { mode: 0o600 });
  const logFile = join(dir, PDNS_LOG);
  truncateLog(logFile);
  appendFileSync(logFile, `${START_MARK}\n`);
  const { pid, ended, failure } = launchServer({
    program: serverPath,
    args: ["--config-dir=."],
    cwd: dir,
    logFile,
  });
  if (pid !== undefined) writeFileSync(join(dir, PID_FILE), `${pid}\n`);
  const endMs = systemClock.monotonicMs() + START_DEADLINE_MS;
  while (pid !== undefined && failure() === undefined && !signal?.aborted) {
    if (systemClock.monotonicMs() >= endMs) break;
    if (await answersFor(zone, address, port)) return serverProcess(pid, STOP_STEPS, ended);
    await sleep(systemClock, POLL_MS, signal);
  }
  if (pid !== undefined) await endProcess(pid, STOP_STEPS);
  throw new Error(`PowerDNS did not start: ${lastWords(logFile, failure())}`);
}

/** One that was just killed holds its port until the last of its threads is gone. */
async function requireFreePort(address: string, port: number): Promise<void> {
  const endMs = systemClock.monotonicMs() + PORT_DEADLINE_MS;
  while (!(await isPortFree(address, port))) {
    if (systemClock.monotonicMs() >= endMs) {
      throw new Error(`port ${port} for PowerDNS is in use: choose another`);
    }
    await sleep(systemClock, POLL_MS);
  }
}

/** Ends the server of `dir`, if a killed parent left one. */
export async function stopLeftoverPdns(dir: string): Promise<void> {
  const path = join(dir, PID_FILE);
  if (!existsSync(path)) return;
  const pid = Number.parseInt(readFileSync(path, "utf8"), 10);
  // The number may be a stranger's by now.
  if (isAlive(pid) && workingDirectory(pid) === realpathSync(dir))
    await endProcess(pid, STOP_STEPS);
}

async function answersFor(zone: string, address: string, port: number): Promise<boolean> {
  const resolver = new Resolver({ timeout: PROBE_MS, tries: 1 });
  resolver.setServers([`${address.includes(":") ? `[${address}]` : address}:${port}`]);
  try {
    await resolver.resolveSoa(zone);
    return true;
  } catch {
    // Not listening yet, or without a responder: the caller asks again until its deadline.
    return false;
  }
}

function lastWords(logFile: string, failure: string | undefined): string {
  const all = lastLines(logFile);
  const lines = all.slice(all.lastIndexOf(START_MARK) + 1);
  const module = lines.some((line) => /unable to load|unknown backend/i.test(line));
  if (module)
    return 'its remote backend is missing: install it ("apt-get install pdns-backend-remote")';
  const telling = lines.findLast((line) => /error|unable|unknown|fatal|exiting/i.test(line));
  return (telling ?? lines.at(-1) ?? failure ?? "it does not answer").trim();
}
