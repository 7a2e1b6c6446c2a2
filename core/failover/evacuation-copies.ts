/** Where the rooms of nodes that are to be left have their copies. */
import { compareEpochs, type Epoch } from "../../shared/epoch.ts";
import { isFailure } from "../../shared/errors.ts";
import type { NodeId, RoomId } from "../../shared/ids.ts";
import type { RoomCopy } from "../../shared/protocol/failover.ts";
import type { NodeCalls } from "../regions/node-calls.ts";
import type { NodeRecord } from "../regions/registry-step.ts";

export interface CopyAt extends RoomCopy {
  readonly at: NodeId;
}

export interface FoundCopies {
  /** The freshest of each room. */
  readonly copies: ReadonlyMap<RoomId, CopyAt>;
  /** Nodes that did not answer. */
  readonly silent: readonly NodeId[];
}

/** As the database has it. */
export interface RoomLife {
  readonly room_id: RoomId;
  readonly epoch_term: number;
  readonly epoch_n: number;
}

/**
 * @param rooms copies of other rooms, and of another life of these, don't count
 * @param holders who may have some
 */
export async function findCopies(
  ofNodes: readonly NodeId[],
  rooms: readonly RoomLife[],
  holders: readonly NodeRecord[],
  calls: Pick<NodeCalls, "copies">,
): Promise<FoundCopies> {
  const copies = new Map<RoomId, CopyAt>();
  const silent: NodeId[] = [];
  const epochs = new Map<RoomId, Epoch>(
    rooms.map(({ room_id, epoch_term, epoch_n }) => [room_id, [epoch_term, epoch_n]]),
  );
  const counts = ({ roomId, roomEpoch }: RoomCopy) => {
    const epoch = epochs.get(roomId);
    return epoch !== undefined && compareEpochs(roomEpoch, epoch) === 0;
  };
  if (ofNodes.length === 0) return { copies, silent };
  const ask = async (node: NodeRecord) => {
    try {
      const answer = await calls.copies(node, { ofNodes: [...ofNodes] });
      for (const copy of answer.copies.filter(counts)) {
        keepFresher(copies, { ...copy, at: node.nodeId });
      }
    } catch (error) {
      if (!isFailure(error)) throw error;
      silent.push(node.nodeId);
    }
  };
  await Promise.all(holders.map(ask));
  return { copies, silent };
}

function keepFresher(copies: Map<RoomId, CopyAt>, copy: CopyAt): void {
  const known = copies.get(copy.roomId);
  if (known && isFresher(known, copy)) return;
  copies.set(copy.roomId, copy);
}

function isFresher(a: RoomCopy, b: RoomCopy): boolean {
  return a.tick >= b.tick;
}
