/**
 * The delayed links of a `--wan` world: players to the core, players to each region, each region to the
 * core, the core to each region. Each link has a proxy of its own, so each can be broken alone.
 */
import type { RegionId } from "../../../shared/ids.ts";
import type { PortPlan } from "../ports.ts";
import type { LocalTopology } from "../topology.ts";
import { type DelayProxy, startDelayProxy } from "./delay-proxy.ts";
import { oneWayMs, type Place } from "./distance.ts";

export interface PrivateLinks {
  readonly regionToCore: ReadonlyMap<RegionId, DelayProxy>;
  readonly coreToRegion: ReadonlyMap<RegionId, DelayProxy>;
  stop(): Promise<void>;
}

export interface WanLinks extends PrivateLinks {
  readonly playerToCore: DelayProxy;
  readonly playerToRegion: ReadonlyMap<RegionId, DelayProxy>;
}

export interface WanOptions {
  readonly topology: LocalTopology;
  readonly ports: PortPlan;
  readonly player: Place;
  /** Where players' proxies listen; the private ones stay on 127.0.0.1. */
  readonly publicHost: string;
}

const PRIVATE_HOST = "127.0.0.1";

/** The private links alone, without a delay, for whoever wants to break them. */
export async function startPrivateLinks(ports: PortPlan): Promise<PrivateLinks> {
  const started: DelayProxy[] = [];
  const stop = async () => {
    await Promise.all(started.map((proxy) => proxy.stop()));
  };
  const link = async (targetPort: number) => {
    const from = { listenHost: PRIVATE_HOST, listenPort: 0, targetHost: PRIVATE_HOST };
    const proxy = await startDelayProxy({ ...from, targetPort, oneWayMs: 0 });
    started.push(proxy);
    return proxy;
  };
  const regionToCore = new Map<RegionId, DelayProxy>();
  const coreToRegion = new Map<RegionId, DelayProxy>();
  try {
    for (const [id, own] of ports.regions) {
      regionToCore.set(id, await link(ports.core.link));
      coreToRegion.set(id, await link(own.link));
    }
    return { regionToCore, coreToRegion, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

export async function startWanLinks(options: WanOptions): Promise<WanLinks> {
  const { topology, ports, player, publicHost } = options;
  const { core } = topology;
  const started: DelayProxy[] = [];

  async function link(
    listenHost: string,
    listenPort: number,
    targetPort: number,
    ends: readonly [Place, Place],
  ): Promise<DelayProxy> {
    const proxy = await startDelayProxy({
      listenHost,
      listenPort,
      targetHost: PRIVATE_HOST,
      targetPort,
      oneWayMs: oneWayMs(...ends),
    });
    started.push(proxy);
    return proxy;
  }
  async function stop(): Promise<void> {
    await Promise.all(started.map((proxy) => proxy.stop()));
  }

  const playerToRegion = new Map<RegionId, DelayProxy>();
  const regionToCore = new Map<RegionId, DelayProxy>();
  const coreToRegion = new Map<RegionId, DelayProxy>();
  try {
    const toCore = [ports.core.public, ports.core.listen] as const;
    const playerToCore = await link(publicHost, ...toCore, [player, core]);
    for (const region of topology.regions) {
      const { id } = region;
      const own = ports.regions.get(id);
      if (!own) throw new Error(`region ${id} has no ports`);
      const toRegion = [own.public, own.listen] as const;
      playerToRegion.set(id, await link(publicHost, ...toRegion, [player, region]));
      regionToCore.set(id, await link(PRIVATE_HOST, 0, ports.core.link, [region, core]));
      coreToRegion.set(id, await link(PRIVATE_HOST, 0, own.link, [core, region]));
    }
    return { playerToCore, playerToRegion, regionToCore, coreToRegion, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
