/** Asks the nodes that live what copies they have, and who of them has seats. */
import { isFailure } from "../../shared/errors.ts";
import type { NodeId } from "../../shared/ids.ts";
import type { NodeCalls } from "../regions/node-calls.ts";
import { freeSeats, liveNodes, takesPlayers, wantedOf } from "../regions/region-view.ts";
import type { NodeRecord, RegionRecord } from "../regions/registry-step.ts";
import { partsOf } from "../regions/registry-step.ts";
import type { HeldCopy } from "./assign-step.ts";

export interface FoundCopies {
  readonly copies: readonly HeldCopy[];
  /** Whether everybody who may have some has answered: also those who are cut off, or not heard and not yet lost. */
  readonly complete: boolean;
}

export interface Nodes {
  readonly regions: () => readonly RegionRecord[];
  /** Whether it is decided that the node's life is over. */
  readonly isLost: (nodeId: NodeId) => boolean;
}

/** Nodes of before have no copies. */
function isHolder({ heartbeat }: NodeRecord): boolean {
  return heartbeat.replication !== undefined;
}

/** @param deps `onFailed` is told of a node that could not be asked */
export async function findCopies(
  ofNode: NodeId,
  deps: Nodes & {
    readonly calls: Pick<NodeCalls, "copies">;
    readonly onFailed: (nodeId: NodeId) => void;
  },
): Promise<FoundCopies> {
  const { regions, isLost, calls, onFailed } = deps;
  const holders = regions()
    .flatMap(({ nodes }) => [...nodes.values()])
    .filter((node) => isHolder(node) && !isLost(node.nodeId) && node.nodeId !== ofNode);
  const asked = holders.filter(({ alive }) => alive);
  const answers = await Promise.all(
    asked.map(async (node) => {
      try {
        const { copies } = await calls.copies(node, { ofNodes: [ofNode] });
        const own = copies.filter((copy) => copy.ofNode === ofNode);
        return own.map((copy) => ({ ...copy, holder: node.nodeId }));
      } catch (error) {
        if (!isFailure(error)) throw error;
        onFailed(node.nodeId);
        return undefined;
      }
    }),
  );
  const all = asked.length === holders.length;
  const complete = all && answers.every((answer) => answer !== undefined);
  return { copies: answers.flatMap((answer) => answer ?? []), complete };
}

/** Of nodes that may go on with rooms, the seats that are free and not promised. */
export function seatsLeft(
  { regions, isLost }: Nodes,
  promised: (nodeId: NodeId) => number,
): ReadonlyMap<NodeId, number> {
  const nodes = regions()
    .filter((region) => wantedOf(region) === "active")
    .flatMap(liveNodes)
    .filter((node) => isHolder(node) && takesPlayers(node) && !isLost(node.nodeId));
  return new Map(
    nodes.map((node) => [node.nodeId, Math.max(0, freeSeats(node) - promised(node.nodeId))]),
  );
}

export function together(a: NodeId, b: NodeId): boolean {
  return partsOf(a).region === partsOf(b).region;
}
