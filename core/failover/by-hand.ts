import type { NodeId, RegionId } from "../../shared/ids.ts";
import type { FailoverPlan } from "../../shared/protocol/ops-failover.ts";

/** Fails over what an operator names, whatever the detector thinks of it. */
export interface ByHand {
  /**
   * Fences the node, or all nodes of the region, and has their rooms go on elsewhere; or only says what that
   * would do.
   * @throws {MeridianError} `not_found` when it is not known; `conflict` when nothing is left to be fenced
   */
  failover(
    target: { readonly regionId?: RegionId; readonly nodeId?: NodeId },
    options: { readonly dryRun: boolean },
  ): Promise<FailoverPlan>;
}
