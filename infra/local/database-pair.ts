/**
 * The world's database as a primary and a synchronous standby, behind one address: HAProxy asks the pair's manager
 * which of them is the primary, by Patroni's health protocol.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { sleep, systemClock } from "../../shared/clock.ts";
import { type DatabaseMember, databaseProxyConfig } from "../haproxy/database-config.ts";
import { startDatabaseProxy, stopLeftoverDatabaseProxy } from "../haproxy/database-proxy.ts";
import { findHaproxy, HAPROXY_LOG } from "../haproxy/server.ts";
import { answers, stopLeftoverPostgres } from "../postgres/leftover.ts";
import { FIRST_MARK, MEMBERS, otherMember, readMark, writeMark } from "../postgres/pair/mark.ts";
import type { Member } from "../postgres/pair/member.ts";
import { Pair } from "../postgres/pair/pair.ts";
import { pairFiles } from "../postgres/pair/pair-names.ts";
import { PairRest } from "../postgres/pair/rest.ts";
import { writeSettings } from "../postgres/pair/settings-file.ts";
import { watchLog } from "../process/log-file.ts";
import { signalProcess } from "../process/pid.ts";
import { freePorts } from "../process/port.ts";
import { PRIVATE_HOST } from "./addresses.ts";
import type { ProcessHandle } from "./processes.ts";
import { keepSecret } from "./secrets.ts";
import { reported } from "./status.ts";
import { Supervisor } from "./supervisor.ts";
import { startDelayProxy } from "./wan/delay-proxy.ts";
import type { WorldParts } from "./world-parts.ts";

/** The way of the log between the two, to be broken. */
export interface ReplicationLink {
  cut(): Promise<void>;
  halfOpen(): void;
  heal(): Promise<void>;
}

export interface OpenPair {
  /** Of the superuser, through the proxy. */
  readonly url: string;
  /** As `url`, to the standby alone. */
  readonly standbyUrl: string;
  readonly pair: Pair;
  /** Whichever is the primary now. */
  readonly primary: ProcessHandle;
  readonly standby: ProcessHandle;
  readonly proxy: ProcessHandle;
  readonly link: ReplicationLink;
}

const PROXY_DIR = "postgres-proxy";
const CONNECTIONS_MAX = 500;
const LAG_MAX = "16MB";
const RETURN_POLL_MS = 25;

export async function openPair(
  dir: string,
  { database, backupDir }: { readonly database: string; readonly backupDir: string | undefined },
  parts: WorldParts,
): Promise<OpenPair> {
  const { report } = parts;
  const serverPath = findHaproxy(process.env);
  const [a = 0, b = 0, restA = 0, restB = 0, entry = 0, reads = 0] = await freePorts(6);
  const links = { a: await replicationLink(a, parts), b: await replicationLink(b, parts) };
  const files = pairFiles(dir);
  const pair = new Pair({
    ...files,
    ports: { a, b },
    replicationPorts: { a: links.a.port, b: links.b.port },
    replicationPassword: keepSecret(join(dir, "replication-password")),
    database,
    backupDir,
    clock: systemClock,
    report,
  });
  const rest = new PairRest(pair, { a: restA, b: restB });
  // Noted before the start, so that a stop meanwhile finds what is half-way.
  parts.onStop(() => pair.stop());
  parts.onKill(() => {
    for (const { pid } of Object.values(pair.members)) if (pid) signalProcess(pid, "SIGKILL");
  });
  await reported(
    report,
    "postgres pair",
    () => pair.start(),
    () => `${PRIVATE_HOST}:${a}, :${b}; health at :${restA}, :${restB}`,
  );
  await rest.start();
  parts.onStop(() => rest.stop());
  for (const { logFile } of Object.values(pair.members)) parts.onStop(watchLog(logFile));

  const members: DatabaseMember[] = [
    { name: "a", address: `${PRIVATE_HOST}:${a}`, checkPort: restA },
    { name: "b", address: `${PRIVATE_HOST}:${b}`, checkPort: restB },
  ];
  const config = databaseProxyConfig(members, {
    bind: `${PRIVATE_HOST}:${entry}`,
    standby: { bind: `${PRIVATE_HOST}:${reads}`, lagMax: LAG_MAX },
    connectionsMax: CONNECTIONS_MAX,
  });
  const at = (port: number) => Object.assign(new URL(pair.primary.url ?? ""), { port }).href;
  const url = at(entry);
  const proxyDir = join(dir, PROXY_DIR);
  const proxy = new Supervisor({
    name: "postgres proxy",
    consequence: "log-in and joining wait",
    restartDelayMs: Math.min(parts.restartDelayMs, 1_000),
    clock: systemClock,
    report,
    start: (signal) => {
      const known = rest.whenKnown();
      // Without a primary there is nothing more to wait for.
      const isReady = async () => known() && (!pair.serves || (await answers(url)));
      return startDatabaseProxy({
        dir: proxyDir,
        serverPath,
        config,
        port: entry,
        isReady,
        signal,
      });
    },
  });
  await parts.start({ supervisor: proxy, detail: () => `${PRIVATE_HOST}:${entry}` });
  parts.onStop(watchLog(join(proxyDir, HAPROXY_LOG)));
  return {
    url,
    standbyUrl: at(reads),
    pair,
    primary: handleOf(pair, () => pair.primary),
    standby: handleOf(pair, () => pair.standby),
    proxy,
    link: both(links),
  };
}

/**
 * For a world without a standby where there was one: the folder that holds the primary's data. From now on it
 * goes on alone, so the other's copy may not follow it any more.
 */
export async function soleMember(dir: string): Promise<string> {
  const { dirs, markFile } = pairFiles(dir);
  const mark = readMark(markFile);
  if (!mark) return dirs.a;
  await stopLeftoverPostgres(dirs[otherMember(mark.primary)]);
  if (mark.promotable) writeMark(markFile, { ...mark, promotable: false });
  const data = join(dirs[mark.primary], "data");
  if (existsSync(data)) {
    // One that runs still might wait for it.
    await stopLeftoverPostgres(dirs[mark.primary]);
    writeSettings(data, { synchronous_standby_names: undefined });
  }
  return dirs[mark.primary];
}

/** Ends what a killed world left: servers and proxy. */
export async function endLeftoverPair(dir: string): Promise<void> {
  await stopLeftoverDatabaseProxy(join(dir, PROXY_DIR));
  const { dirs, markFile } = pairFiles(dir);
  const { primary } = readMark(markFile) ?? FIRST_MARK;
  await stopLeftoverPostgres(dirs[otherMember(primary)]);
}

async function replicationLink(targetPort: number, parts: WorldParts) {
  const link = await startDelayProxy({
    listenHost: PRIVATE_HOST,
    listenPort: 0,
    targetHost: PRIVATE_HOST,
    targetPort,
    oneWayMs: 0,
  });
  parts.onStop(() => link.stop());
  return link;
}

type Link = Awaited<ReturnType<typeof replicationLink>>;

function both({ a, b }: Readonly<Record<"a" | "b", Link>>): ReplicationLink {
  return {
    async cut() {
      await Promise.all([a.cut(), b.cut()]);
    },
    halfOpen() {
      a.halfOpen();
      b.halfOpen();
    },
    async heal() {
      await Promise.all([a.heal(), b.heal()]);
    },
  };
}

/**
 * The process in a role. One that is knocked out stays away, whatever role it has by then, until `restart`
 * of either handle, which resolves when the database serves.
 */
function handleOf(pair: Pair, member: () => Member): ProcessHandle {
  return {
    get pid() {
      return member().pid;
    },
    kill(signal) {
      const { pid, name } = member();
      if (pid === undefined) throw new Error(`postgres ${name} does not run`);
      process.kill(pid, signal);
    },
    knockOut() {
      const one = member();
      one.keptAway = true;
      if (one.pid !== undefined) signalProcess(one.pid, "SIGKILL");
    },
    async restart() {
      for (const name of MEMBERS) pair.members[name].keptAway = false;
      pair.look();
      while (!pair.serves && !pair.stopped) await sleep(systemClock, RETURN_POLL_MS);
    },
    async succeed() {
      throw new Error("a database has no next life");
    },
  };
}
