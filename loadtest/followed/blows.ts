/** How a world is struck from outside. Each blow answers how it is undone. */

import type { DelayProxy } from "../../infra/local/wan/delay-proxy.ts";
import type { LocalWorld } from "../../infra/local/world.ts";
import type { RegionId } from "../../shared/ids.ts";

export type Undo = () => Promise<void>;

/** SIGKILL of the region's only node, or of its first one. */
export async function killRegion(world: LocalWorld, regionId: RegionId): Promise<Undo> {
  const region = ours(world.regions.get(regionId), `region ${regionId}`);
  region.kill("SIGKILL");
  return () => region.restart();
}

/** SIGSTOP of it. */
export async function stopRegion(world: LocalWorld, regionId: RegionId): Promise<Undo> {
  const region = ours(world.regions.get(regionId), `region ${regionId}`);
  region.kill("SIGSTOP");
  return async () => region.kill("SIGCONT");
}

/**
 * Nothing comes out of the region any more, and nobody is told: no byte passes between it and players or the core,
 * nor what others begin with it. What it begins with its neighbours goes through their links, so it is stopped as
 * well; nobody outside can tell that from a network that drops all its packets.
 */
export async function blackHole(world: LocalWorld, regionId: RegionId): Promise<Undo> {
  const proxies = [...privateLinksOf(world, regionId), playersLinkOf(world, regionId)];
  for (const proxy of proxies) proxy.halfOpen();
  const goOn = await stopRegion(world, regionId);
  return async () => {
    await goOn();
    await Promise.all(proxies.map((proxy) => proxy.heal()));
  };
}

export type Break = "cut" | "halfOpen";

/** Breaks what is given: `cut` tells both ends, `halfOpen` tells nobody. */
export async function breakLinks(proxies: readonly DelayProxy[], how: Break): Promise<Undo> {
  await Promise.all(proxies.map((proxy) => proxy[how]()));
  return async () => {
    await Promise.all(proxies.map((proxy) => proxy.heal()));
  };
}

/** From the region to the core, and the way by which the core and others reach the region. */
export function privateLinksOf({ links }: LocalWorld, regionId: RegionId): DelayProxy[] {
  return [
    ours(links?.regionToCore.get(regionId), "breakable links"),
    ours(links?.coreToRegion.get(regionId), "breakable links"),
  ];
}

export function playersLinkOf({ wan }: LocalWorld, regionId: RegionId): DelayProxy {
  return ours(wan?.playerToRegion.get(regionId), "delayed links");
}

export function ours<T>(part: T | undefined, what: string): T {
  if (part === undefined) throw new Error(`this world has no ${what} of its own`);
  return part;
}
