/** What operators can have failed over, and what they are told of it before and after. */
import type { NodeId, RegionId } from "../../shared/ids.ts";

export interface FailoverPlan {
  readonly nodes: readonly NodeId[];
  readonly rooms: number;
  /** As of the nodes' last heartbeats. */
  readonly players: number;
  /** Rooms of which somebody has a copy, and seats for it. */
  readonly protectedRooms: number;
  readonly unprotectedRooms: number;
  readonly targets: readonly { readonly nodeId: NodeId; readonly rooms: number }[];
  /** Whether it was done, rather than planned. */
  readonly done: boolean;
}

export interface ByHand {
  /**
   * Ends the nodes of a region, or one node, and has their rooms go on elsewhere: what the core does by itself when
   * they die. Nodes that live are ended, and start anew.
   * @throws {MeridianError} `unknown_region`, `not_found`
   */
  failover(
    target: { readonly regionId?: RegionId; readonly nodeId?: NodeId },
    options: { readonly dryRun: boolean },
  ): Promise<FailoverPlan>;
}
