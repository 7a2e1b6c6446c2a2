/** What operators can have failed over. */
import type { NodeId, RegionId } from "../../shared/ids.ts";
import type { FailoverPlan } from "../../shared/protocol/ops-failover.ts";

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
