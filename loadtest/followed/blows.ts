/** How a world is struck from outside. Each blow answers how it is undone. */
import type { ProcessHandle } from "../../infra/local/processes.ts";
import type { DelayProxy } from "../../infra/local/wan/delay-proxy.ts";
import type { LocalWorld } from "../../infra/local/world.ts";
import type { RegionId } from "../../shared/ids.ts";

export type Undo = () => Promise<void>;

/** SIGKILL of all of them at once. */
export async function killNodes(nodes: readonly ProcessHandle[]): Promise<Undo> {
  for (const node of nodes) node.kill("SIGKILL");
  return async () => {
    await Promise.all(nodes.map((node) => node.restart()));
  };
}

/** SIGSTOP of all of them at once. */
export async function stopNodes(nodes: readonly ProcessHandle[]): Promise<Undo> {
  for (const node of nodes) node.kill("SIGSTOP");
  return async () => {
    for (const node of nodes) node.kill("SIGCONT");
  };
}

/**
 * Nothing comes out of the region any more, and nobody is told: no byte passes between it and players or the core,
 * nor of what others begin with it. What it begins with its neighbours goes through their links, so its nodes are
 * stopped as well; nobody outside can tell that from a network that drops all their packets.
 */
export async function blackHole(
  world: LocalWorld,
  regionId: RegionId,
  nodes: readonly ProcessHandle[],
): Promise<Undo> {
  const proxies = [...privateLinksOf(world, regionId), playersLinkOf(world, regionId)];
  const heal = await breakLinks(proxies, "halfOpen");
  const goOn = await stopNodes(nodes);
  return async () => {
    await goOn();
    await heal();
  };
}

/** `cut` tells both ends; `halfOpen` tells nobody. */
export type Break = "cut" | "halfOpen";

export async function breakLinks(proxies: readonly DelayProxy[], how: Break): Promise<Undo> {
  await Promise.all(proxies.map((proxy) => proxy[how]()));
  return async () => {
    await Promise.all(proxies.map((proxy) => proxy.heal()));
  };
}

/** From the region to the core, and the way by which the core and others reach the region. */
export function privateLinksOf(
  { links }: LocalWorld,
  regionId: RegionId,
): [DelayProxy, DelayProxy] {
  return [
    ours(links?.regionToCore.get(regionId), "breakable links"),
    ours(links?.coreToRegion.get(regionId), "breakable links"),
  ];
}

export function playersLinkOf({ wan }: LocalWorld, regionId: RegionId): DelayProxy {
  return ours(wan?.playerToRegion.get(regionId), "delayed links");
}

/** @throws where the world has no such part */
export function ours<T>(part: T | undefined, what: string): T {
  if (part === undefined) throw new Error(`this world has no ${what} of its own`);
  return part;
}
