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

export interface PortPlan {
  readonly core: PartPorts;
  readonly regions: ReadonlyMap<RegionId, PartPorts>;
}

export interface PortOptions {
  /** The core's first port, or 0: all of them are free ones. */
  readonly portBase: number;
  readonly regionIds: readonly RegionId[];
  /** Whether players reach each process through a proxy. */
  readonly proxied: boolean;
  readonly host: string;
}

const FIRST_REGION = 110;
const REGION_STEP = 10;

/** @throws one clear line when a port is in use */
export async function planPorts(options: PortOptions): Promise<PortPlan> {
  const { portBase, regionIds, proxied } = options;
  const parts = ["core", ...regionIds];
  const free = await freePorts(parts.length * 4);
  const take = (base: number): PartPorts => {
    const port = (offset: number) => (portBase === 0 ? takeFrom(free) : base + offset);
    const visible = port(0);
    const listen = proxied ? takeFrom(free) : visible;
    return { listen, public: visible, link: port(1), private: port(2) };
  };
  const core = take(portBase);
  const regions = regionIds.map((id, index): [RegionId, PartPorts] => [
    id,
    take(portBase + FIRST_REGION + index * REGION_STEP),
  ]);
  const plan = { core, regions: new Map(regions) };
  if (portBase !== 0) await checkFree(plan, options.host);
  return plan;
}

async function checkFree({ core, regions }: PortPlan, host: string): Promise<void> {
  const named: [string, PartPorts][] = [["the core", core]];
  for (const [id, ports] of regions) named.push([`region ${id}`, ports]);
  for (const [name, ports] of named) {
    for (const port of [ports.public, ports.link, ports.private]) {
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
