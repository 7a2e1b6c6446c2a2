/** The environments of the world's core and regions, as their configuration reference names them. */
import { join } from "node:path";
import type { RegionId } from "../../shared/ids.ts";
import { type Addresses, PRIVATE_HOST } from "./addresses.ts";
import type { LinkFiles } from "./link-files.ts";
import type { NameServerPorts, PartPorts, PortPlan } from "./ports.ts";
import type { City } from "./wan/cities.ts";
import type { PrivateLinks, WanLinks } from "./wan/links.ts";

/** All that the environments are made from. */
export interface WorldPlan {
  readonly dir: string;
  readonly addresses: Addresses;
  readonly ports: PortPlan;
  readonly player: City;
  readonly wan: WanLinks | undefined;
  /** What stands on the private links, if anything does. */
  readonly links: PrivateLinks | undefined;
  /** For every process, over what this file sets. */
  readonly env: Readonly<Record<string, string>>;
}

export type Environment = Readonly<Record<string, string>>;

/** Rooms get this long to end when the world stops: Ctrl-C has 5 s for everything. */
const DRAIN_DEADLINE_MS = 300;
const OVERLOAD_LOOP_DELAY_MS = 500;
/** This machine and the private ranges of RFC 1918 and RFC 4193: on no map, so they are put on one. */
const PRIVATE_RANGES = [
  "127.0.0.0/8",
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "::1/128",
  "fc00::/7",
];

/** The files of a world's folder that processes are pointed to. */
export function worldFiles(dir: string) {
  return {
    topology: join(dir, "topology.json"),
    masterKey: join(dir, "master-key"),
    operatorToken: join(dir, "operator-token"),
    databaseUrl: join(dir, "database-url"),
    databaseOwnerUrl: join(dir, "database-owner-url"),
    databaseStandbyUrl: join(dir, "database-standby-url"),
    admissionRedisUrl: join(dir, "admission-redis-url"),
    redisUrl: (id: RegionId) => join(dir, `redis-url-${id}`),
    handOver: (id: RegionId) => join(dir, `hand-over-${id}`),
    web: join(dir, "web"),
    link: join(dir, "link"),
    dns: join(dir, "dns"),
    haproxy: join(dir, "haproxy"),
    responderSocket: join(dir, "dns", "responder.sock"),
    mails: join(dir, "logs", "mails.jsonl"),
    log: (part: string) => join(dir, "logs", `${part}.log`),
  };
}

/** @param index which of the cores */
export function coreEnvironment(plan: WorldPlan, index: number, link: LinkFiles): Environment {
  const { addresses, ports } = plan;
  const files = worldFiles(plan.dir);
  const alone = ports.cores.length === 1;
  const own = ports.cores[index];
  if (!own) throw new Error(`there is no core ${index}`);
  return {
    ...link,
    DATABASE_URL_FILE: files.databaseUrl,
    DATABASE_OWNER_URL_FILE: files.databaseOwnerUrl,
    DATABASE_STANDBY_URL_FILE: files.databaseStandbyUrl,
    ADMISSION_REDIS_URL_FILE: files.admissionRedisUrl,
    ...(!alone && { CORE_NAME: coreNameOf(index), TRUSTED_PROXIES: PRIVATE_HOST }),
    CORE_HOST: plan.wan || !alone ? PRIVATE_HOST : addresses.listenHost,
    CORE_PORT: String(own.listen),
    CORE_LINK_HOST: PRIVATE_HOST,
    CORE_LINK_PORT: String(own.link),
    CORE_PRIVATE_HOST: PRIVATE_HOST,
    CORE_PRIVATE_PORT: String(own.private),
    TOPOLOGY_FILE: files.topology,
    MASTER_KEY_FILE: files.masterKey,
    OPERATOR_TOKEN_FILE: files.operatorToken,
    PUBLIC_ORIGINS: pageOrigins(plan).join(","),
    GEO_OVERRIDES: geoOverrides(plan),
    WEB_DIR: files.web,
    MAIL_FILE: files.mails,
    PASSWORD_RESET_PAGE: `${pageOrigins(plan)[0]}/`,
    ...plan.env,
  };
}

/** As HAProxy, logs and people know it. */
export function coreNameOf(index: number): string {
  return `core-${index + 1}`;
}

export function regionEnvironment(plan: WorldPlan, id: RegionId, link: LinkFiles): Environment {
  const { addresses, ports, wan, links } = plan;
  const own = portsOf(ports, id);
  const linkPort = links?.coreToRegion.get(id)?.port ?? own.link;
  const coreLinkPort = links?.regionToCore.get(id)?.port ?? ports.core.link;
  return {
    ...link,
    REGION_ID: id,
    REGION_HOST: wan ? PRIVATE_HOST : addresses.listenHost,
    REGION_PORT: String(own.listen),
    REGION_PUBLIC_ADDRESS: publicAddress(plan, id),
    REGION_LINK_HOST: PRIVATE_HOST,
    REGION_LINK_PORT: String(own.link),
    REGION_LINK_ADDRESS: `${PRIVATE_HOST}:${linkPort}`,
    REGION_PRIVATE_HOST: PRIVATE_HOST,
    REGION_PRIVATE_PORT: String(own.private),
    CORE_LINK_ADDRESS: `${PRIVATE_HOST}:${coreLinkPort}`,
    REDIS_URL_FILE: worldFiles(plan.dir).redisUrl(id),
    REGION_ORIGINS: pageOrigins(plan).join(","),
    DRAIN_DEADLINE_MS: String(DRAIN_DEADLINE_MS),
    // All parts share this machine: a loop that is late here waits for the others most of the time.
    OVERLOAD_LOOP_DELAY_MS: String(OVERLOAD_LOOP_DELAY_MS),
    HAND_OVER_FILE: worldFiles(plan.dir).handOver(id),
    // The link that others know is the core's way there, and so is its delay: it says nothing of theirs.
    ...(wan && { PEER_PROBE_PERIOD_MS: "0" }),
    ...plan.env,
  };
}

/** @param dns the zone that is answered for, and its ports */
export function responderEnvironment(
  plan: WorldPlan,
  link: LinkFiles,
  dns: { readonly zone: string; readonly ports: NameServerPorts },
): Environment {
  const files = worldFiles(plan.dir);
  return {
    ...link,
    DNS_ZONE: dns.zone,
    DNS_NAME_SERVERS: `ns1=${PRIVATE_HOST}`,
    DNS_SOCKET: files.responderSocket,
    DNS_VIEW_FILE: join(files.dns, "view.json"),
    DNS_PRIVATE_HOST: PRIVATE_HOST,
    DNS_PRIVATE_PORT: String(dns.ports.private),
    CORE_LINK_ADDRESS: `${PRIVATE_HOST}:${plan.ports.core.link}`,
    GEO_OVERRIDES: geoOverrides(plan),
    ...plan.env,
  };
}

/** A further node of the region, which no delay proxy stands in front of. */
export function siblingEnvironment(
  plan: WorldPlan,
  id: RegionId,
  link: LinkFiles,
  ports: Pick<PartPorts, "listen" | "link" | "private">,
): Environment {
  const { listenHost, publicHost } = plan.addresses;
  return {
    ...regionEnvironment(plan, id, link),
    REGION_HOST: listenHost,
    REGION_PORT: String(ports.listen),
    REGION_PUBLIC_ADDRESS: `${publicHost}:${ports.listen}`,
    REGION_LINK_PORT: String(ports.link),
    REGION_LINK_ADDRESS: `${PRIVATE_HOST}:${ports.link}`,
    REGION_PRIVATE_PORT: String(ports.private),
    HAND_OVER_FILE: `${worldFiles(plan.dir).handOver(id)}-${ports.listen}`,
    ...plan.env,
  };
}

/** `host:port` of a region, as players are told. */
export function publicAddress({ addresses, ports }: WorldPlan, id: RegionId): string {
  return `${addresses.publicHost}:${portsOf(ports, id).public}`;
}

/** Where the page may be opened; the first is the one to show. */
export function pageOrigins({ addresses, ports }: WorldPlan): string[] {
  return addresses.pageHosts.map((host) => `http://${host}:${ports.core.public}`);
}

export function portsOf(ports: PortPlan, id: RegionId): PartPorts {
  const own = ports.regions.get(id);
  if (!own) throw new Error(`region ${id} has no ports`);
  return own;
}

function geoOverrides({ player }: WorldPlan): string {
  const { latitude, longitude, name } = player;
  return PRIVATE_RANGES.map((range) => `${range}=${latitude},${longitude},${name}`).join(";");
}
