/**
 * A whole Meridian on one machine: PostgreSQL, a Redis per region and one for the core, the core and the
 * regions, as real processes with real links between them. `npm start` runs one; tests, faults and bots run
 * their own in a temporary folder on free ports.
 *
 * Parts start in the order written here and stop in the reverse; what has not stopped in time is killed.
 * A part that ends by itself is restarted by its supervisor. When a start fails or is called off, what
 * had started is stopped and nothing is left.
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { RegionId } from "../../shared/ids.ts";
import { NameServerId, type Peer } from "../../shared/link/peer.ts";
import { findPdnsServer } from "../dns/server.ts";
import { findHaproxy } from "../haproxy/server.ts";
import type { Pair } from "../postgres/pair/pair.ts";
import { addressesOf, PRIVATE_HOST } from "./addresses.ts";
import { type CoreHandle, startCores } from "./cores.ts";
import type { ReplicationLink } from "./database-pair.ts";
import { keepLinkFiles, type LinkFiles } from "./link-files.ts";
import { endLeftoverNameServer, type NameServer, startNameServer } from "./name-server.ts";
import type { TopologyName } from "./options.ts";
import { planPorts } from "./ports.ts";
import { type ProcessHandle, type ReleaseOf, regionProcess, siblingProcess } from "./processes.ts";
import { type RegionControl, startRegionControl } from "./region-control.ts";
import { RegionNodes } from "./region-nodes.ts";
import { SCALING_HERE, startScaling } from "./scaling.ts";
import { keepSecret, writeSecret } from "./secrets.ts";
import { pageOrigins, publicAddress, type WorldPlan, worldFiles } from "./settings.ts";
import { type Report, reported } from "./status.ts";
import { endLeftovers, openDatabase, openRedis } from "./stores.ts";
import { readLocalTopology } from "./topology.ts";
import { type City, findCity, PLAYER_CITY } from "./wan/cities.ts";
import { type PrivateLinks, startPrivateLinks, startWanLinks, type WanLinks } from "./wan/links.ts";
import { watchGames } from "./watch-games.ts";
import { buildPages } from "./web.ts";
import { lockWorld } from "./world-lock.ts";
import { WorldParts } from "./world-parts.ts";

export interface WorldOptions {
  /** Holds all data, certificates, secrets and logs; made when missing, kept at the stop. */
  readonly dir: string;
  /** A file of `infra/topology`; `china` by default. */
  readonly topology?: TopologyName;
  /** How many regions of the topology file; 3 by default. */
  readonly regions?: number;
  /** How many cores, of whom one leads; 1 by default. More need HAProxy. */
  readonly cores?: number;
  /** The core's port, from which the others follow; 0, the default, takes free ones. */
  readonly portBase?: number;
  /** Delays every link as the distance does. */
  readonly wan?: boolean;
  /** Puts a proxy on each private link, so that it can be broken; `wan` does so as well. */
  readonly breakableLinks?: boolean;
  /** Where this machine's players are; Hangzhou by default. */
  readonly player?: City;
  /** Lets other devices of the network in. */
  readonly lan?: boolean;
  /** Runs a name server that answers with the nearest region; needs PowerDNS. */
  readonly dns?: boolean;
  /** Throws away what earlier runs left in `dir`. */
  readonly fresh?: boolean;
  /** Runs a synchronous standby of the database, and HAProxy in front of both; not by default. */
  readonly standby?: boolean;
  /** A PostgreSQL to use instead of one of our own. */
  readonly databaseUrl?: string;
  /** A folder of backups, to which our own PostgreSQL archives its log; not by default. */
  readonly backupDir?: string | undefined;
  /** A Redis to use instead of our own, one database a region and one for the core. */
  readonly redisUrl?: string;
  /** Whether the core serves web pages, which are built at the start; it does by default. */
  readonly pages?: boolean;
  /** Lets the page kill a region and start it again; not by default. */
  readonly killButton?: boolean;
  /** Starts and ends nodes as the core decides; not by default. */
  readonly scaling?: boolean;
  /** Brings saved code of games into the running world; not by default. */
  readonly watch?: boolean;
  /** How long a part that ended stays down, ms; 5,000 by default. */
  readonly restartDelayMs?: number;
  /** Settings for the core and every region, over those of the world. */
  readonly env?: Readonly<Record<string, string>>;
  /** Of which release each part is; all of this tree by default. */
  readonly releaseOf?: ReleaseOf;
  /** Told one line for each thing that happens. */
  readonly report?: Report;
  /** Calls the start off, or stops the world. */
  readonly signal?: AbortSignal;
  /** Ends every process at once, without grace. */
  readonly killSignal?: AbortSignal;
}

export interface LocalWorld {
  /** As in its options. */
  readonly dir: string;
  /** With several cores, the process of the first, and the addresses of what is in front of them. */
  readonly core: ProcessHandle & {
    /** What players open: page and API. */
    readonly url: string;
    /** All origins under which the page may be opened. */
    readonly origins: readonly string[];
    /** The operators' port. */
    readonly opsUrl: string;
  };
  /** Every core's process. */
  readonly cores: readonly CoreHandle[];
  /** The core that leads, once one does and can be reached. @throws when none does for 15 s */
  leader(): Promise<CoreHandle>;
  /** What is in front of several cores. */
  readonly haproxy: ProcessHandle | undefined;
  readonly regions: ReadonlyMap<RegionId, LocalRegionHandle>;
  readonly operatorToken: string;
  /** Of the schema's owner. */
  readonly databaseUrl: string;
  /** With `wan`: the links, to be delayed, cut and healed. */
  readonly wan: WanLinks | undefined;
  /** With `wan` or `breakableLinks`. */
  readonly links: PrivateLinks | undefined;
  /** The present primary; undefined when it is the user's own. */
  readonly postgres: ProcessHandle | undefined;
  /** With `standby`: whichever is the standby at the moment. */
  readonly postgresStandby: ProcessHandle | undefined;
  /** With `standby`: who is the primary, and a failover by hand. */
  readonly databasePair: Pair | undefined;
  /** With `standby`: the way of the log between the two. */
  readonly replicationLink: ReplicationLink | undefined;
  /** Empty when it is the user's own. */
  readonly redis: ReadonlyMap<RegionId, ProcessHandle>;
  /** Undefined when it is the user's own. */
  readonly coreRedis: ProcessHandle | undefined;
  /** With `dns`. */
  readonly nameServer: NameServer | undefined;
  /** Starts one more node of a region; resolves when it is ready. */
  addNode(id: RegionId): Promise<ProcessHandle>;
  /** Where the games' pages are, such as `/` and `/games/duel/`. */
  readonly pages: readonly string[];
  /** Ends everything within 5 s. */
  stop(): Promise<void>;
}

export interface LocalRegionHandle extends ProcessHandle {
  /** `host:port` for players. */
  readonly publicAddress: string;
  readonly privateUrl: string;
}

const REGIONS_DEFAULT = 3;
const RESTART_DELAY_MS = 5_000;
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TOPOLOGIES = join(ROOT, "infra/topology");
const TOPOLOGY_DEFAULT = "china";
const GAMES = join(ROOT, "region/games");
const OTHER_PAGES = { "/map/": join(ROOT, "core/gslb/page") };

/** @throws one clear line; nothing is left running then */
export async function startLocalWorld(options: WorldOptions): Promise<LocalWorld> {
  const { dir, signal, killSignal, report = () => {} } = options;
  signal?.throwIfAborted();
  const lock = await lockWorld(dir);
  const parts = new WorldParts(report, options.restartDelayMs ?? RESTART_DELAY_MS);
  parts.onStop(() => lock.release());
  parts.onStopping(() => lock.ending());
  // Whoever aborts also awaits the start or calls `stop`, and hears of problems there.
  onAbort(signal, parts, () => void parts.stop().catch(() => {}));
  onAbort(killSignal, parts, () => parts.killAll());
  try {
    return await start(options, parts, (name, pid) => lock.note(name, pid));
  } catch (error) {
    await parts.stop();
    throw error;
  }
}

async function start(
  options: WorldOptions,
  parts: WorldParts,
  note: (name: string, pid: number) => void,
): Promise<LocalWorld> {
  const { dir, lan = false, wan = false, portBase = 0, scaling = false } = options;
  const env = { ...(scaling && SCALING_HERE), ...options.env };
  const topologyFile = join(TOPOLOGIES, `${options.topology ?? TOPOLOGY_DEFAULT}.json`);
  const topology = readLocalTopology(topologyFile, options.regions ?? REGIONS_DEFAULT);
  const regionIds = topology.regions.map(({ id }) => id);
  const addresses = addressesOf(lan);
  const pdnsPath = options.dns ? findPdnsServer(process.env) : undefined;
  const { cores: coresWanted = 1 } = options;
  const haproxyPath = coresWanted > 1 ? findHaproxy(process.env) : undefined;
  await clear(options, regionIds);
  const files = worldFiles(dir);
  mkdirSync(join(dir, "logs"), { recursive: true, mode: 0o700 });
  const { listenHost } = addresses;
  const dns = pdnsPath !== undefined;
  const ports = await planPorts({
    portBase,
    regionIds,
    proxied: wan,
    host: listenHost,
    dns,
    cores: coresWanted,
  });

  const { databaseUrl: given, standby = false, backupDir } = options;
  const database = await openDatabase(dir, { given, standby, backupDir }, parts);
  const redis = await openRedis(dir, options.redisUrl, regionIds, parts);
  const watch = options.watch ?? false;
  let control: RegionControl | undefined;
  const build = async () => {
    const outDir = files.web;
    const built = await buildPages({ gamesDir: GAMES, others: OTHER_PAGES, outDir, live: watch });
    control?.tell(outDir);
    return built;
  };
  mkdirSync(files.web, { recursive: true });
  const pages =
    options.pages === false
      ? []
      : await reported(parts.report, "pages", build, (built) => built.join(" "));
  writeFileSync(files.topology, JSON.stringify(topology));
  writeSecret(files.databaseUrl, database.working);
  writeSecret(files.databaseOwnerUrl, database.owner);
  writeSecret(files.databaseStandbyUrl, database.standby ?? "");
  for (const [id, url] of redis.urls) writeSecret(files.redisUrl(id), url);
  writeSecret(files.admissionRedisUrl, redis.coreUrl);
  keepSecret(files.masterKey);
  const operatorToken = keepSecret(files.operatorToken);
  const { corePeer, dnsPeer, peers } = peersOf(regionIds);
  const everyone = [corePeer, dnsPeer, ...peers.values()];
  const linkFiles = await keepLinkFiles(files.link, everyone, Date.now());

  parts.check();
  const player = options.player ?? findCity(PLAYER_CITY);
  if (!player) throw new Error(`there is no city ${PLAYER_CITY}`);
  const wanLinks = wan
    ? await startWanLinks({ topology, ports, player, publicHost: listenHost })
    : undefined;
  const links = wanLinks ?? (options.breakableLinks ? await startPrivateLinks(ports) : undefined);
  parts.onStop(() => links?.stop());
  const plan: WorldPlan = { dir, addresses, ports, player, wan: wanLinks, links, env };

  const { releaseOf } = options;
  const besideCores = { plan, link: fileOf(linkFiles, corePeer), parts, note, releaseOf };
  const cores = await startCores(besideCores, haproxyPath);
  const regions = regionIds.map((id) => {
    const link = fileOf(linkFiles, peers.get(id));
    return { id, part: regionProcess(id, { plan, link, parts, note, releaseOf }) };
  });
  await parts.start(...regions.map(({ part }) => part));
  const besideDns = { plan, link: fileOf(linkFiles, dnsPeer), parts, note, releaseOf };
  const nameServer =
    pdnsPath && ports.nameServer
      ? await startNameServer(besideDns, ports.nameServer, pdnsPath)
      : undefined;
  parts.check();

  const nodes = new RegionNodes(regions, async (id, serial) => {
    const link = fileOf(linkFiles, peers.get(id));
    const node = await siblingProcess(id, serial, { plan, link, parts, note, releaseOf });
    await parts.start(node);
    return node;
  });
  const [url = ""] = pageOrigins(plan);
  if (options.killButton) {
    const partsOf = (id: RegionId) => {
      const handles = nodes.of(id).map(({ handle }) => handle);
      return handles.length > 0 ? { redis: redis.processes.get(id), nodes: handles } : undefined;
    };
    control = await startRegionControl({ origins: pageOrigins(plan), partsOf, parts });
    control.tell(files.web);
  }
  if (watch) watchGames(GAMES, { url, regions, buildPages: build, parts });
  const opsUrl = `http://${PRIVATE_HOST}:${ports.core.private}`;
  if (scaling) startScaling({ opsUrl, operatorToken, nodes, parts, logFile: files.log("scale") });
  return {
    dir,
    core: Object.assign(cores.handles[0], { url, origins: pageOrigins(plan), opsUrl }),
    cores: cores.handles,
    leader: cores.leader,
    haproxy: cores.haproxy,
    regions: new Map(
      regions.map(({ id, part }) => [
        id,
        Object.assign(part.handle, {
          publicAddress: publicAddress(plan, id),
          privateUrl: part.privateUrl,
        }),
      ]),
    ),
    operatorToken,
    databaseUrl: database.owner,
    wan: wanLinks,
    links,
    postgres: database.process,
    postgresStandby: database.standbyProcess,
    databasePair: database.pair,
    replicationLink: database.replicationLink,
    redis: redis.processes,
    coreRedis: redis.coreProcess,
    nameServer,
    pages,
    addNode: async (id) => (await nodes.add(id)).handle,
    stop: () => parts.stop(),
  };
}

function onAbort(signal: AbortSignal | undefined, parts: WorldParts, act: () => void): void {
  signal?.addEventListener("abort", act, { once: true });
  parts.onStop(() => signal?.removeEventListener("abort", act));
}

/** Ends what a killed world left running and would not be adopted; with `fresh`, forgets its data. */
async function clear(options: WorldOptions, regionIds: readonly RegionId[]): Promise<void> {
  const { dir, fresh = false, databaseUrl, redisUrl, backupDir } = options;
  await endLeftoverNameServer(dir);
  await endLeftovers(dir, {
    // One that was started without an archive would go on without.
    postgres: !fresh && !databaseUrl && backupDir === undefined,
    redis: fresh || redisUrl ? undefined : regionIds,
  });
  if (!fresh) return;
  for (const name of readdirSync(dir)) {
    if (name !== "world.json") rmSync(join(dir, name), { recursive: true, force: true });
  }
}

function peersOf(regionIds: readonly RegionId[]) {
  const corePeer: Peer = { role: "core" };
  const dnsPeer: Peer = { role: "dns", nameServer: NameServerId.parse("ns1") };
  const peers = new Map<RegionId, Peer>(
    regionIds.map((regionId) => [regionId, { role: "region", regionId }]),
  );
  return { corePeer, dnsPeer, peers };
}

function fileOf(files: ReadonlyMap<Peer, LinkFiles>, peer: Peer | undefined): LinkFiles {
  const found = peer && files.get(peer);
  if (!found) throw new Error("a peer without a certificate");
  return found;
}
