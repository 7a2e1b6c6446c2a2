/** Where nodes of regions come from and go to: one interface, an adapter for each kind of place. */
import type { NodeId, RegionId } from "../../../shared/ids.ts";
import type { RegionScalingStatus, ScaledNode } from "../../../shared/protocol/ops-scaling.ts";

export interface Order {
  readonly regionId: RegionId;
  /** How many nodes the region is to have. */
  readonly nodes: number;
  /** Present when it is to have one fewer: this one, which is empty and takes nobody. */
  readonly without?: ScaledNode | undefined;
  /** The decision's reason, as a code and in words. */
  readonly reason: string;
  readonly why: string;
}

export interface NodePool {
  /** For logs and metrics: `kubernetes`. */
  readonly name: string;
  /**
   * Which node goes first when there are to be fewer, where the place has a say in that; undefined: any of them.
   * @throws {MeridianError}
   */
  leaving?(region: RegionScalingStatus, signal: AbortSignal): Promise<NodeId | undefined>;
  /**
   * Has the region have so many nodes. Without `without` only ever more, and the same order again changes nothing.
   * It is done when it is ordered: nodes are there when they are heard.
   * @throws {MeridianError} retryable or not
   */
  setNodes(order: Order, signal: AbortSignal): Promise<void>;
}
