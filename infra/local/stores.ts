/** The world's databases: servers of its own, or those that the user named. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { systemClock } from "../../shared/clock.ts";
import type { RegionId } from "../../shared/ids.ts";
import { databaseOf } from "../../shared/redis/redis-url.ts";
import { archivingServer } from "../backup/archive.ts";
import { POSTGRES_LOG, startPostgres } from "../postgres/embedded.ts";
import { stopLeftoverPostgres } from "../postgres/leftover.ts";
import type { Pair } from "../postgres/pair/pair.ts";
import { pairFiles } from "../postgres/pair/pair-names.ts";
import { ensureWorkingLogin, urlOfLogin } from "../postgres/working-login.ts";
import { watchLog } from "../process/log-file.ts";
import {
  findRedisServer,
  REDIS_LOG,
  type RedisOptions,
  type RunningRedis,
  startRedis,
  stopLeftoverRedis,
} from "../redis/local.ts";
import { pingRedis } from "../redis/ping.ts";
import { endLeftoverPair, openPair, type ReplicationLink, soleMember } from "./database-pair.ts";
import type { ProcessHandle } from "./processes.ts";
import { keepSecret } from "./secrets.ts";
import { reported } from "./status.ts";
import { Supervisor } from "./supervisor.ts";
import type { WorldParts } from "./world-parts.ts";

const DATABASE = "meridian";
const WORKING_LOGIN = "meridian_core_login";
const WORKING_PASSWORD_FILE = "database-password";
const REDIS_PREFIX = "redis-";
/** Without the prefix: a region may have any name. */
const CORE_REDIS_DIR = "core-redis";
const PROBE_MS = 10_000;

/** One database, entered in two ways; the same one when the user gave it. */
export interface OpenDatabase {
  readonly working: string;
  readonly owner: string;
  /** For reads that may be stale; undefined without a standby. */
  readonly standby: string | undefined;
  /** The primary; undefined when it is the user's own. */
  readonly process: ProcessHandle | undefined;
  readonly standbyProcess: ProcessHandle | undefined;
  readonly pair: Pair | undefined;
  readonly replicationLink: ReplicationLink | undefined;
}

export interface OpenRedis {
  readonly urls: ReadonlyMap<RegionId, string>;
  readonly coreUrl: string;
  /** Empty when it is the user's own. */
  readonly processes: ReadonlyMap<RegionId, ProcessHandle>;
  /** Undefined when it is the user's own. */
  readonly coreProcess: ProcessHandle | undefined;
}

export interface DatabaseOptions {
  /** The user's own, instead of one of ours. */
  readonly given: string | undefined;
  /** Runs a synchronous standby beside it. */
  readonly standby: boolean;
  /** Where ours archives its log; nowhere by default. */
  readonly backupDir: string | undefined;
}

/** A database for the core. */
export async function openDatabase(
  dir: string,
  { given, standby, backupDir }: DatabaseOptions,
  parts: WorldParts,
): Promise<OpenDatabase> {
  const alone = {
    standby: undefined,
    standbyProcess: undefined,
    pair: undefined,
    replicationLink: undefined,
  };
  if (given) {
    if (standby) throw new Error("a standby needs a database of our own: leave out DATABASE_URL");
    if (backupDir !== undefined) {
      throw new Error("--backup-dir is for a database of our own: leave out DATABASE_URL");
    }
    const ask = () => withClient(given, (client) => client.query("select 1"));
    await reported(parts.report, "postgres", ask, () => "DATABASE_URL");
    return { ...alone, working: given, owner: given, process: undefined };
  }
  if (!standby) {
    const { url, supervisor } = await openServer(await soleMember(dir), backupDir, parts);
    return { ...alone, ...(await prepare(dir, url)), process: supervisor };
  }
  const opened = await openPair(dir, { database: DATABASE, backupDir }, parts);
  const entered = await prepare(dir, opened.url);
  return {
    ...entered,
    standby: Object.assign(new URL(entered.working), { port: new URL(opened.standbyUrl).port })
      .href,
    process: opened.primary,
    standbyProcess: opened.standby,
    pair: opened.pair,
    replicationLink: opened.link,
  };
}

/** One server of our own. */
async function openServer(dataDir: string, backupDir: string | undefined, parts: WorldParts) {
  const { report } = parts;
  let url = "";
  let port: number | undefined;
  const supervisor = new Supervisor({
    name: "postgres",
    consequence: "log-in and joining wait",
    restartDelayMs: parts.restartDelayMs,
    clock: systemClock,
    report,
    async start(signal) {
      const log = (line: string) => report(`… ${line}`);
      // A restart must come back where the core looks for it.
      const fixed = port === undefined ? {} : { port };
      const archive = backupDir === undefined ? {} : archivingServer(backupDir, dataDir);
      const running = await startPostgres({ dataDir, ...fixed, ...archive, log, signal });
      ({ url, port } = running);
      return running;
    },
  });
  await parts.start({ supervisor, detail: () => `127.0.0.1:${port}` });
  parts.onStop(watchLog(join(dataDir, POSTGRES_LOG)));
  return { url, supervisor };
}

/** Makes database and login, when they are not there. */
async function prepare(
  dir: string,
  url: string,
): Promise<{ readonly working: string; readonly owner: string }> {
  const login = {
    name: WORKING_LOGIN,
    password: keepSecret(join(dir, WORKING_PASSWORD_FILE)),
  };
  await withClient(url, async (client) => {
    await createDatabase(client);
    await ensureWorkingLogin(client, login);
  });
  const owner = Object.assign(new URL(url), { pathname: `/${DATABASE}` }).href;
  return { working: urlOfLogin(owner, login), owner };
}

/**
 * A Redis for each region, and one for the core.
 * @param given the user's own server, of which each gets a database, the core the last
 */
export async function openRedis(
  dir: string,
  given: string | undefined,
  regionIds: readonly RegionId[],
  parts: WorldParts,
): Promise<OpenRedis> {
  if (given) {
    await reported(
      parts.report,
      "redis",
      () => pingRedis(given),
      () => "REDIS_URL",
    );
    const urls = new Map(regionIds.map((id, index) => [id, databaseOf(given, index)]));
    const coreUrl = databaseOf(given, regionIds.length);
    return { urls, coreUrl, processes: new Map(), coreProcess: undefined };
  }
  const serverPath = findRedisServer(process.env);
  const ofRegions = regionIds.map((id) => ({
    id,
    redis: redisServer(parts, {
      name: `redis ${id}`,
      consequence: `region ${id} takes no new players`,
      options: { dir: join(dir, `${REDIS_PREFIX}${id}`), serverPath },
    }),
  }));
  const ofCore = redisServer(parts, {
    name: "redis core",
    consequence: "the queue lives in memory and by its tokens",
    options: { dir: join(dir, CORE_REDIS_DIR), serverPath, user: "core" },
  });
  const all = [...ofRegions.map(({ redis }) => redis), ofCore];
  await parts.start(...all);
  for (const { logFile } of all) parts.onStop(watchLog(logFile));
  return {
    urls: new Map(ofRegions.map(({ id, redis }) => [id, redis.url()])),
    coreUrl: ofCore.url(),
    processes: new Map(ofRegions.map(({ id, redis }) => [id, redis.supervisor])),
    coreProcess: ofCore.supervisor,
  };
}

interface RedisSpec {
  readonly name: string;
  readonly consequence: string;
  readonly options: RedisOptions;
}

function redisServer(parts: WorldParts, { name, consequence, options }: RedisSpec) {
  let running: RunningRedis | undefined;
  const supervisor = new Supervisor({
    name,
    consequence,
    restartDelayMs: parts.restartDelayMs,
    clock: systemClock,
    report: parts.report,
    async start(signal) {
      // A restart must come back where it is looked for.
      const fixed = running ? { port: running.port } : {};
      running = await startRedis({ ...options, ...fixed, signal });
      return running;
    },
  });
  return {
    supervisor,
    detail: () => `127.0.0.1:${running?.port}`,
    url: () => running?.url ?? "",
    logFile: join(options.dir, REDIS_LOG),
  };
}

/** Ends servers that a killed world left in `dir`; what is kept may be adopted instead. */
export async function endLeftovers(
  dir: string,
  /** Of Redis, the core's and those of these regions; undefined: none. */
  kept: { readonly postgres: boolean; readonly redis: readonly RegionId[] | undefined },
): Promise<void> {
  await endLeftoverPair(dir);
  if (!kept.postgres) {
    for (const one of Object.values(pairFiles(dir).dirs)) await stopLeftoverPostgres(one);
  }
  if (!existsSync(dir)) return;
  const keptNames = kept.redis?.map((id) => `${REDIS_PREFIX}${id}`).concat(CORE_REDIS_DIR) ?? [];
  const isRedis = (name: string) => name.startsWith(REDIS_PREFIX) || name === CORE_REDIS_DIR;
  const others = readdirSync(dir).filter((name) => isRedis(name) && !keptNames.includes(name));
  await Promise.all(others.map((name) => stopLeftoverRedis(join(dir, name))));
}

async function createDatabase(client: pg.Client): Promise<void> {
  const sql = "select from pg_database where datname = $1";
  const { rowCount } = await client.query(sql, [DATABASE]);
  if (rowCount === 0) await client.query(`create database ${pg.escapeIdentifier(DATABASE)}`);
}

async function withClient(
  connectionString: string,
  task: (client: pg.Client) => Promise<unknown>,
): Promise<void> {
  const client = new pg.Client({
    connectionString,
    connectionTimeoutMillis: PROBE_MS,
    query_timeout: PROBE_MS,
  });
  // A connection that breaks while idle reports here; the task's own failure is what counts.
  client.on("error", () => {});
  await client.connect();
  try {
    await task(client);
  } finally {
    await client.end();
  }
}
