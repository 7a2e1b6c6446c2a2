/**
 * Runs a real Redis for one machine. Layout of `dir`: `redis.conf`, `users.acl`, `password` (0600),
 * `redis.pid`, `redis.log`, `appendonlydir/`. It listens on 127.0.0.1 only, and knows one user: whoever
 * gets into a region's Redis can speak in the name of its rooms, and into the core's, let themselves in.
 *
 * Every change is appended to a file that is synced once a second. Like PostgreSQL the server outlives a
 * killed parent; the next start adopts one that runs in `dir` and answers, and ends one that does not.
 */
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Redis } from "ioredis";
import { sleep, systemClock } from "../../shared/clock.ts";
import { findProgram } from "../process/find-program.ts";
import { lastLines, truncateLog } from "../process/log-file.ts";
import {
  commandLine,
  type EndStep,
  endProcess,
  isAlive,
  workingDirectory,
} from "../process/pid.ts";
import { freePort, isPortFree } from "../process/port.ts";
import { launchServer, type ServerProcess, serverProcess } from "../process/server-process.ts";
import { aclOf, type RedisUser } from "./access.ts";

export interface RedisOptions {
  /** Made when missing; kept when the server stops. */
  readonly dir: string;
  /** The program, from `findRedisServer`. */
  readonly serverPath: string;
  /** Whose it is; a region's by default. */
  readonly user?: RedisUser;
  /** On 127.0.0.1; a free one by default. A server adopted from before keeps its own. */
  readonly port?: number;
  /** Told in one line what takes time. */
  readonly log?: (line: string) => void;
  /** Gives up on a start, and ends what it began. */
  readonly signal?: AbortSignal;
}

export interface RunningRedis extends ServerProcess {
  readonly url: string;
  readonly port: number;
}

interface RedisEnv {
  readonly PATH?: string | undefined;
  readonly REDIS_SERVER?: string | undefined;
}

/** The server's output, in `dir`. */
export const REDIS_LOG = "redis.log";

const CONFIG_FILE = "redis.conf";
const ACL_FILE = "users.acl";
const PASSWORD_FILE = "password";
const HOST = "127.0.0.1";
/** The first one whose users can be kept to some channels. */
const OLDEST = { major: 6, minor: 2 };
const START_DEADLINE_MS = 30_000;
const ADOPT_DEADLINE_MS = 5_000;
const PROBE_MS = 1_000;
const POLL_MS = 25;
const PORT_TRIES_MAX = 5;
const STOP_STEPS: readonly EndStep[] = [
  ["SIGTERM", 2_500],
  ["SIGKILL", 1_000],
];

/**
 * The path of `redis-server`: what `REDIS_SERVER` names, else the first on the `PATH`.
 * @throws one clear line when there is none, or it is too old
 */
export function findRedisServer(env: RedisEnv): string {
  return findProgram({
    name: "Redis",
    program: "redis-server",
    given: env.REDIS_SERVER,
    path: env.PATH,
    version: /\bv=(\d+)\.(\d+)/,
    oldest: OLDEST,
    install: "install it, or set REDIS_SERVER or REDIS_URL",
  });
}

/** @throws one clear line when the server can't be started within 30 s */
export async function startRedis(options: RedisOptions): Promise<RunningRedis> {
  const { port, serverPath, signal, user = "region", log = () => {} } = options;
  mkdirSync(options.dir, { recursive: true, mode: 0o700 });
  const dir = realpathSync(options.dir);
  const adopted = await adoptOrClear(dir, user, log);
  if (adopted) return adopted;

  const password = readAccess(dir, user)?.password ?? randomBytes(32).toString("base64url");
  truncateLog(join(dir, REDIS_LOG));
  for (let attempt = 1; ; attempt += 1) {
    if (port !== undefined && !(await isPortFree(HOST, port))) {
      throw new Error(`port ${port} for Redis is in use: choose another`);
    }
    const chosen = port ?? (await freePort());
    const access = { user, port: chosen, password };
    writeConfig(dir, access);
    try {
      return await launch(dir, serverPath, access, signal);
    } catch (error) {
      const taken =
        error instanceof Error &&
        /Could not create server TCP|Failed listening/.test(error.message);
      if (!taken || port !== undefined || attempt === PORT_TRIES_MAX) throw error;
    }
  }
}

/** Ends the server of `dir`, if one runs. */
export async function stopLeftoverRedis(dir: string): Promise<void> {
  const pid = findServer(dir);
  if (pid !== undefined) await endProcess(pid, STOP_STEPS);
}

interface Access {
  readonly user: RedisUser;
  readonly port: number;
  readonly password: string;
}

async function launch(
  dir: string,
  program: string,
  access: Access,
  signal: AbortSignal | undefined,
): Promise<RunningRedis> {
  const logFile = join(dir, REDIS_LOG);
  const { pid, ended, failure } = launchServer({
    program,
    args: [CONFIG_FILE],
    cwd: dir,
    logFile,
  });
  const endMs = systemClock.monotonicMs() + START_DEADLINE_MS;
  while (pid !== undefined && failure() === undefined && !signal?.aborted) {
    if (systemClock.monotonicMs() >= endMs) break;
    if (await answers(access)) return running(serverProcess(pid, STOP_STEPS, ended), access);
    await sleep(systemClock, POLL_MS);
  }
  if (pid !== undefined) await endProcess(pid, STOP_STEPS);
  const lines = lastLines(logFile);
  const telling = lines.findLast((line) => /error|could not|failed|fatal/i.test(line));
  const words = telling ?? lines.at(-1) ?? failure() ?? "it logged nothing";
  throw new Error(`Redis did not start: ${words.trim()}`);
}

async function adoptOrClear(
  dir: string,
  user: RedisUser,
  log: (line: string) => void,
): Promise<RunningRedis | undefined> {
  const pid = findServer(dir);
  const access = readAccess(dir, user);
  if (pid !== undefined) {
    const endMs = systemClock.monotonicMs() + ADOPT_DEADLINE_MS;
    // One that was just started may still be loading.
    while (access && isAlive(pid) && systemClock.monotonicMs() < endMs) {
      if (await answers(access)) {
        log("Redis still ran: adopted it");
        return running(serverProcess(pid, STOP_STEPS), access);
      }
      await sleep(systemClock, POLL_MS);
    }
    log("Redis still ran but does not answer: ending it");
    await endProcess(pid, STOP_STEPS);
  }
  rmSync(join(dir, "redis.pid"), { force: true });
  return undefined;
}

function running(server: ServerProcess, { user, password, port }: Access): RunningRedis {
  return { ...server, url: `redis://${user}:${password}@${HOST}:${port}`, port };
}

/** The process named in `redis.pid`, when it is a server that runs in this very folder. */
function findServer(dir: string): number | undefined {
  const path = join(dir, "redis.pid");
  if (!existsSync(path)) return undefined;
  const pid = Number.parseInt(readFileSync(path, "utf8"), 10);
  if (!isAlive(pid)) return undefined;
  const ours =
    process.platform === "linux"
      ? workingDirectory(pid) === realpathSync(dir)
      : commandLine(pid).includes("redis-server");
  return ours ? pid : undefined;
}

function writeConfig(dir: string, { user, port, password }: Access): void {
  const lines = [
    `bind ${HOST}`,
    `port ${port}`,
    `aclfile ${ACL_FILE}`,
    "protected-mode yes",
    "daemonize no",
    "pidfile redis.pid",
    "dir .",
    'save ""',
    "appendonly yes",
    "appendfsync everysec",
    "maxmemory-policy noeviction",
  ];
  writePrivate(join(dir, CONFIG_FILE), `${lines.join("\n")}\n`);
  writePrivate(join(dir, ACL_FILE), aclOf(user, password));
  writePrivate(join(dir, PASSWORD_FILE), password);
}

function writePrivate(path: string, text: string): void {
  // A file that is there would keep its mode.
  rmSync(path, { force: true });
  writeFileSync(path, text, { mode: 0o600 });
}

function readAccess(dir: string, user: RedisUser): Access | undefined {
  const [config, password] = [join(dir, CONFIG_FILE), join(dir, PASSWORD_FILE)];
  if (!existsSync(config) || !existsSync(password)) return undefined;
  const port = /^port (\d+)$/m.exec(readFileSync(config, "utf8"))?.[1];
  return port === undefined
    ? undefined
    : { user, port: Number(port), password: readFileSync(password, "utf8") };
}

async function answers({ user, port, password }: Access): Promise<boolean> {
  const client = new Redis({
    host: HOST,
    port,
    username: user,
    password,
    lazyConnect: true,
    enableReadyCheck: false,
    disableClientInfo: true,
    retryStrategy: () => null,
    enableOfflineQueue: false,
    connectTimeout: PROBE_MS,
    commandTimeout: PROBE_MS,
  });
  // A refused connection reports here as well as from `connect`, where it counts.
  client.on("error", () => {});
  try {
    await client.connect();
    return (await client.ping()) === "PONG";
  } catch {
    // Refused, still loading, or not ours: the caller asks again until its deadline.
    return false;
  } finally {
    client.disconnect();
  }
}
