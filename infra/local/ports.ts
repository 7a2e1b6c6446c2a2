/** Which port is whose. */
import type { RegionId } from "../../shared/ids.ts";
import { freePorts, isPortFree } from "../process/port.ts";

/** The ports of one process. */
export interface PartPorts {
  /** Where its players' side listens. */
  readonly listen: number;
  /** Where players find it: another port when a delay proxy stands in front. */
  readonly public: number;
  readonly link: number;
  readonly private: number;
}

/** Those of the name server and the responder beside it. */
export interface NameServerPorts {
  /** For DNS, on UDP and TCP. */
  readonly dns: number;
  /** The responder's. */
  readonly private: number;
}

export interface PortPlan {
  /** Where the core is found: its own ports, or those of HAProxy in front of several. */
  readonly core: PartPorts;
  /** Each core's own. */
  readonly cores: readonly PartPorts[];
  readonly regions: ReadonlyMap<RegionId, PartPorts>;
  readonly nameServer: NameServerPorts | undefined;
}

export interface PortOptions {
  /** The core's first port, or 0: all of them are free ones. */
  readonly portBase: number;
  readonly regionIds: readonly RegionId[];
  /** Whether players reach each process through a proxy. */
  readonly proxied: boolean;
  readonly host: string;
  /** Whether there is a name server; not by default. */
  readonly dns?: boolean;
  /** How many cores; 1 by default. */
  readonly cores?: number;
}

/** As the port of DNS is 53. */
const NAME_SERVER = 53;
const FIRST_REGION = 110;
const REGION_STEP = 10;

/** @throws one clear line when a port is in use */
export async function planPorts(options: PortOptions): Promise<PortPlan> {
  const { portBase, regionIds, proxied, dns = false } = options;
  const replicas = (options.cores ?? 1) > 1 ? (options.cores ?? 1) : 0;
  const parts = 2 + regionIds.length + replicas;
  const free = await freePorts(parts * 4);
  const take = (base: number): PartPorts => {
    const port = (offset: number) => (portBase === 0 ? takeFrom(free) : base + offset);
    const visible = port(0);
    const listen = proxied ? takeFrom(free) : visible;
    return { listen, public: visible, link: port(1), private: port(2) };
  };
  const core = take(portBase);
  // Nobody needs to know these: they are found through the ones above.
  const replica = () => {
    const listen = takeFrom(free);
    return { listen, public: listen, link: takeFrom(free), private: takeFrom(free) };
  };
  const cores = replicas > 0 ? Array.from({ length: replicas }, replica) : [core];
  const regions = regionIds.map((id, index): [RegionId, PartPorts] => [
    id,
    take(portBase + FIRST_REGION + index * REGION_STEP),
  ]);
  const own = portBase === 0 ? takeFrom(free) : portBase + NAME_SERVER;
  const beside = portBase === 0 ? takeFrom(free) : own + 1;
  const nameServer = dns ? { dns: own, private: beside } : undefined;
  const plan = { core, cores, regions: new Map(regions), nameServer };
  if (portBase !== 0) await checkFree(plan, options.host);
  return plan;
}

async function checkFree({ core, regions, nameServer }: PortPlan, host: string): Promise<void> {
  const portsOf = (part: PartPorts) => [part.public, part.link, part.private];
  const named: [string, number[]][] = [["the core", portsOf(core)]];
  for (const [id, part] of regions) named.push([`region ${id}`, portsOf(part)]);
  if (nameServer) named.push(["the name server", [nameServer.dns, nameServer.private]]);
  for (const [name, ports] of named) {
    for (const port of ports) {
      if (await isPortFree(host, port)) continue;
      throw new Error(
        `port ${port}, for ${name}, is in use: end what uses it, or start with --port-base N`,
      );
    }
  }
}

function takeFrom(ports: number[]): number {
  const port = ports.pop();
  if (port === undefined) throw new Error("ran out of the free ports that were counted");
  return port;
}
