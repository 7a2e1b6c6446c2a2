/**
 * A pool of nodes that are processes of a local world. Those that were added go again, the emptiest first; the first
 * node of a region stays, because its address is the region's.
 */
import type { NodePool, Order } from "../../core/scaling/agent/node-pool.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { NodeId } from "../../shared/ids.ts";
import type { RegionScalingStatus, ScaledNode } from "../../shared/protocol/ops-scaling.ts";
import type { WorldProcess } from "./processes.ts";
import type { RegionNodes } from "./region-nodes.ts";

export class LocalPool implements NodePool {
  readonly name = "local";
  readonly #nodes: RegionNodes;

  constructor(nodes: RegionNodes) {
    this.#nodes = nodes;
  }

  async leaving({ regionId, nodes }: RegionScalingStatus): Promise<NodeId | undefined> {
    const [, ...added] = this.#nodes.of(regionId);
    const [emptiest] = nodes
      .filter((node) => added.some((one) => isAt(one, node)))
      .toSorted((a, b) => a.taken - b.taken || a.rooms - b.rooms);
    if (emptiest) return emptiest.nodeId;
    throw new MeridianError("conflict", { message: `no node of ${regionId} was added here` });
  }

  async setNodes({ regionId, nodes, without }: Order, signal: AbortSignal): Promise<void> {
    try {
      if (without) {
        const node = this.#nodes.of(regionId).find((one) => isAt(one, without));
        // Otherwise it has ended already, and the core has not noticed yet.
        if (node) await this.#nodes.remove(regionId, node);
        return;
      }
      while (this.#nodes.of(regionId).length < nodes && !signal.aborted) {
        await this.#nodes.add(regionId);
      }
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new MeridianError("unavailable", { message, cause });
    }
  }
}

function isAt({ linkAddress }: WorldProcess, node: ScaledNode): boolean {
  return linkAddress === node.linkAddress;
}
