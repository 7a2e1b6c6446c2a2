/** The nodes that run in a local world, by region: the first one, and those that were added. */
import type { RegionId } from "../../shared/ids.ts";
import type { WorldProcess } from "./processes.ts";

/** Each of them takes a process and some hundred MB. */
export const NODES_PER_REGION_MAX = 16;

export class RegionNodes {
  readonly #nodes: ReadonlyMap<RegionId, WorldProcess[]>;
  readonly #start: (id: RegionId, serial: number) => Promise<WorldProcess>;
  #added = 0;

  /**
   * @param first the one that each region has from the start
   * @param start starts one more, under that number of the world
   */
  constructor(
    first: readonly { readonly id: RegionId; readonly part: WorldProcess }[],
    start: (id: RegionId, serial: number) => Promise<WorldProcess>,
  ) {
    this.#nodes = new Map(first.map(({ id, part }) => [id, [part]]));
    this.#start = start;
  }

  /** The first one first. */
  of(id: RegionId): readonly WorldProcess[] {
    return this.#nodes.get(id) ?? [];
  }

  /** Resolves when it is ready. @throws when it does not start */
  async add(id: RegionId): Promise<WorldProcess> {
    const own = this.#nodes.get(id);
    if (!own) throw new Error(`there is no region ${id}`);
    if (own.length >= NODES_PER_REGION_MAX)
      throw new Error(`${id} has ${own.length} nodes already`);
    this.#added += 1;
    const node = await this.#start(id, this.#added + 1);
    own.push(node);
    return node;
  }

  /** Ends one that was added, for good. */
  async remove(id: RegionId, node: WorldProcess): Promise<void> {
    const own = this.#nodes.get(id);
    const at = own?.indexOf(node) ?? -1;
    if (at < 1) throw new Error(`that is no node that was added to ${id}`);
    own?.splice(at, 1);
    await node.supervisor.stop();
  }
}
