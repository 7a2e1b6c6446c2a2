/**
 * Which node goes on with which room of a node that is lost. Pure.
 *
 * A room's freshest copy counts: of the latest owner, at the highest tick. It is restored where it is, if there
 * are seats for all of its players; else the copy goes on to the node with the most seats left, the holder's own
 * region first. Rooms stay whole, and the fullest are placed first, because the others fit in beside them.
 */
import { compareEpochs } from "../../shared/epoch.ts";
import type { NodeId, RoomId } from "../../shared/ids.ts";
import type { RoomCopy } from "../../shared/protocol/failover.ts";

export interface HeldCopy extends RoomCopy {
  readonly holder: NodeId;
}

export interface Placement {
  readonly copy: HeldCopy;
  /** Who goes on with the room; another than the holder gets the copy first. */
  readonly to: NodeId;
}

export interface Assigning {
  readonly roomIds: readonly RoomId[];
  readonly copies: readonly HeldCopy[];
  /** Free seats of the nodes that may go on with rooms; others may only hold copies. */
  readonly seats: ReadonlyMap<NodeId, number>;
  /** Whether that node failed with that room already, as a holder or as its next owner. */
  readonly failed: (roomId: RoomId, nodeId: NodeId) => boolean;
  /** Whether two nodes are of one region. */
  readonly together: (a: NodeId, b: NodeId) => boolean;
}

export interface Assigned {
  readonly placements: readonly Placement[];
  /** Nobody has a copy of them, or who had failed. */
  readonly without: readonly RoomId[];
  /** Nobody has the seats for them. */
  readonly crowded: readonly RoomId[];
}

export function assign(assigning: Assigning): Assigned {
  const { roomIds, copies, failed } = assigning;
  const best = new Map<RoomId, HeldCopy>();
  for (const copy of copies) {
    if (failed(copy.roomId, copy.holder)) continue;
    const known = best.get(copy.roomId);
    if (!known || isFresher(copy, known)) best.set(copy.roomId, copy);
  }
  const wanted = [...new Set(roomIds)];
  const without = wanted.filter((roomId) => !best.has(roomId));
  const found = wanted.flatMap((roomId) => best.get(roomId) ?? []);
  const left = new Map(assigning.seats);
  const placements: Placement[] = [];
  const crowded: RoomId[] = [];
  for (const copy of found.toSorted(byPlayers)) {
    const to = placeFor(copy, left, assigning);
    if (to === undefined) {
      crowded.push(copy.roomId);
      continue;
    }
    left.set(to, (left.get(to) ?? 0) - copy.players);
    placements.push({ copy, to });
  }
  return { placements, without, crowded };
}

function placeFor(
  { roomId, holder, players }: HeldCopy,
  left: ReadonlyMap<NodeId, number>,
  { failed, together }: Assigning,
): NodeId | undefined {
  const fits = ([nodeId, seats]: readonly [NodeId, number]) =>
    seats >= players && !failed(roomId, nodeId);
  const own = left.get(holder);
  if (own !== undefined && fits([holder, own])) return holder;
  const others = [...left].filter(fits);
  const near = others.filter(([nodeId]) => together(nodeId, holder));
  const [freest] = (near.length > 0 ? near : others).toSorted(bySeats);
  return freest?.[0];
}

/** Of two that are the same the holder's name decides, so that every core chooses alike. */
function isFresher(a: HeldCopy, b: HeldCopy): boolean {
  const order = compareEpochs(a.roomEpoch, b.roomEpoch) || a.tick - b.tick;
  return order > 0 || (order === 0 && a.holder < b.holder);
}

function byPlayers(a: HeldCopy, b: HeldCopy): number {
  return b.players - a.players || (a.roomId < b.roomId ? -1 : 1);
}

function bySeats([a, seatsA]: readonly [NodeId, number], [b, seatsB]: readonly [NodeId, number]) {
  return seatsB - seatsA || (a < b ? -1 : 1);
}
