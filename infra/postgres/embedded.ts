/**
 * Runs a real PostgreSQL 18 for one machine: development, tests, the local world.
 *
 * Layout of `dataDir`: `data/` (the cluster), `password` (0600), `postgres.log`. The server listens on
 * 127.0.0.1 only, has no Unix socket, and takes connections by SCRAM password alone, so no other user
 * of this machine gets in, and an answer to the password proves that a server is the one of this folder.
 *
 * Root runs it as `nobody`. The data may then lie where only root can go: the server gets its folder as
 * working directory, entered before the user is switched, and calls it `/proc/self/cwd` (Linux).
 *
 * The server outlives a parent that was killed; the next start adopts or clears it (`leftover.ts`). A
 * start that fails leaves no process behind and throws one line that ends with the server's last words.
 */
import { realpathSync } from "node:fs";
import { join, resolve } from "node:path";
import { sleep, systemClock } from "../../shared/clock.ts";
import { truncateLog } from "../process/log-file.ts";
import { endProcess } from "../process/pid.ts";
import { freePort, isPortFree } from "../process/port.ts";
import {
  type Launched,
  launchServer,
  type ServerProcess,
  serverProcess,
} from "../process/server-process.ts";
import {
  type Binaries,
  findBinaries,
  postgresEnv,
  type RunAs,
  unprivilegedUser,
} from "./binaries.ts";
import { dataDirArgument, ensureCluster, lastLogLine } from "./cluster.ts";
import { adoptOrClear, answers, STOP_STEPS, urlOf } from "./leftover.ts";

export interface PostgresOptions {
  /** Made when missing; kept when the server stops. */
  readonly dataDir: string;
  /** On 127.0.0.1; a free one by default. A server adopted from before keeps its own. */
  readonly port?: number;
  /** Told in one line what takes time. */
  readonly log?: (line: string) => void;
  /** 60,000 by default: a large database that was killed takes long to recover. */
  readonly startDeadlineMs?: number;
  /** Gives up on a start, and ends what it began. */
  readonly signal?: AbortSignal;
  /** Settings as in `postgresql.conf`, over the defaults of this file. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Opened for the server, which may not be able to walk there: see `ServerCommand`. */
  readonly folders?: readonly string[];
}

export interface RunningPostgres extends ServerProcess {
  /** Of the superuser `postgres`, with its password, to the database `postgres`. */
  readonly url: string;
  readonly port: number;
}

/** The server's output, in `dataDir`. */
export const POSTGRES_LOG = "postgres.log";

const HOST = "127.0.0.1";
const START_DEADLINE_MS = 60_000;
const POLL_MS = 25;
const PORT_TRIES_MAX = 5;

/** @throws one clear line when the server can't be started in time */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const { port, settings = {}, folders = [], log = () => {} } = options;
  const { runAs, binaries, password } = makeCluster(options.dataDir, log);
  const dir = realpathSync(options.dataDir);

  const adopted = await adoptOrClear(dir, password, patience(options), log);
  if (adopted) return running(serverProcess(adopted.pid, STOP_STEPS), adopted.port, password);
  truncateLog(join(dir, POSTGRES_LOG));
  for (let attempt = 1; ; attempt += 1) {
    if (port !== undefined && !(await isPortFree(HOST, port))) {
      throw new Error(`port ${port} for PostgreSQL is in use: choose another`);
    }
    const chosen = port ?? (await freePort());
    try {
      const expired = patience(options);
      const chosenPort = { port: chosen, settings, folders, expired };
      return await launch({ dir, binaries, runAs, password, ...chosenPort });
    } catch (error) {
      const taken = error instanceof Error && /could not (bind|create any TCP)/.test(error.message);
      if (!taken || port !== undefined || attempt === PORT_TRIES_MAX) throw error;
    }
  }
}

interface Cluster {
  readonly runAs: RunAs;
  readonly binaries: Binaries;
  readonly password: string;
}

/**
 * Makes what `startPostgres` needs in `dataDir` when it is not there, and starts no server. A copy of the
 * folder, owners included, is a cluster as well.
 */
export function makeCluster(dataDir: string, log: (line: string) => void = () => {}): Cluster {
  const runAs = unprivilegedUser(join(dataDir, "data"));
  const binaries = findBinaries(runAs);
  const password = ensureCluster(resolve(dataDir), binaries, runAs, log);
  return { runAs, binaries, password };
}

interface Launch {
  readonly dir: string;
  readonly binaries: Binaries;
  readonly runAs: RunAs;
  readonly password: string;
  readonly port: number;
  readonly settings: Readonly<Record<string, string>>;
  readonly folders: readonly string[];
  /** Whether to give up. */
  readonly expired: () => boolean;
}

async function launch(options: Launch): Promise<RunningPostgres> {
  const { dir, password, port, expired } = options;
  for (;;) {
    const server = spawnServer(options);
    const { pid, ended } = server;
    const failure = await readiness(server, urlOf(port, password), expired);
    if (failure === undefined && pid !== undefined) {
      return running(serverProcess(pid, STOP_STEPS, ended), port, password);
    }
    if (pid !== undefined) await endProcess(pid, STOP_STEPS);
    const words = lastLogLine(join(dir, POSTGRES_LOG));
    // Backends of a server that was killed take a moment to notice and let go of its memory.
    if (expired() || !/shared memory block/.test(words)) {
      throw new Error(`PostgreSQL did not start: ${failure ?? "no process"}: ${words}`);
    }
    await sleep(systemClock, 10 * POLL_MS);
  }
}

/** Tells when the start has taken too long, or was called off. */
function patience({ signal, startDeadlineMs = START_DEADLINE_MS }: PostgresOptions): () => boolean {
  const endMs = systemClock.monotonicMs() + startDeadlineMs;
  return () => signal?.aborted === true || systemClock.monotonicMs() >= endMs;
}

function spawnServer({ dir, binaries, runAs, port, settings, folders }: Launch): Launched {
  const all = {
    listen_addresses: HOST,
    port: String(port),
    unix_socket_directories: "",
    password_encryption: "scram-sha-256",
    timezone: "UTC",
    log_timezone: "UTC",
    log_checkpoints: "off",
    ...settings,
  };
  const data = join(dir, "data");
  return launchServer({
    ...runAs,
    program: join(binaries.nativeDir, "bin/postgres"),
    args: [
      "-D",
      dataDirArgument(data),
      ...Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    ],
    cwd: data,
    env: postgresEnv(),
    logFile: join(dir, POSTGRES_LOG),
    folders,
  });
}

/** Waits until the server answers; otherwise says why it doesn't. */
async function readiness(
  server: Launched,
  url: string,
  expired: () => boolean,
): Promise<string | undefined> {
  while (!expired()) {
    if (await answers(url)) return undefined;
    const failure = server.failure();
    if (failure !== undefined) return failure;
    await sleep(systemClock, POLL_MS);
  }
  return "it was not ready in time";
}

function running(server: ServerProcess, port: number, password: string): RunningPostgres {
  return { ...server, url: urlOf(port, password), port };
}
