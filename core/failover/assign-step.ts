/**
 * Which node goes on with which room of a node that is lost. Pure.
 *
 * A room's freshest copy counts: of its last owner as the database has it, whatever epoch a holder may name, at the
 * highest tick. A holder that can't run the room has a good copy all the same, which is passed on. It is restored where it is, if there
 * are seats for all of its players; else the copy goes on to the node with the most seats left, the holder's own
 * region first. Rooms stay whole, and the fullest are placed first, because the others fit in beside them.
 */
import { compareEpochs, type Epoch } from "../../shared/epoch.ts";
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

export interface RoomToAssign {
  readonly roomId: RoomId;
  /** Under which the lost node ran it: another copy is of another life of the room. */
  readonly roomEpoch: Epoch;
}

export interface Assigning {
  readonly rooms: readonly RoomToAssign[];
  readonly copies: readonly HeldCopy[];
  /** Free seats of the nodes that may go on with rooms; others may only hold copies. */
  readonly seats: ReadonlyMap<NodeId, number>;
  /** Whether that node is not to be the room's next owner now; it may hold a copy of it. */
  readonly cannotRun: (roomId: RoomId, nodeId: NodeId) => boolean;
  /** Whether that holder's copy turned out to be none. */
  readonly badCopy: (roomId: RoomId, holder: NodeId) => boolean;
  /** Whether two nodes are of one region. */
  readonly together: (a: NodeId, b: NodeId) => boolean;
}

export interface Assigned {
  readonly placements: readonly Placement[];
  /** Nobody has a copy of them that is worth something. */
  readonly without: readonly RoomId[];
  /** Nobody who can run them has the seats for them. */
  readonly crowded: readonly RoomId[];
}

export function assign(assigning: Assigning): Assigned {
  const { rooms, copies, badCopy } = assigning;
  const epochs = new Map(rooms.map(({ roomId, roomEpoch }) => [roomId, roomEpoch]));
  const best = new Map<RoomId, HeldCopy>();
  for (const copy of copies) {
    const epoch = epochs.get(copy.roomId);
    if (!epoch || compareEpochs(copy.roomEpoch, epoch) !== 0) continue;
    if (badCopy(copy.roomId, copy.holder)) continue;
    const known = best.get(copy.roomId);
    if (!known || isFresher(copy, known)) best.set(copy.roomId, copy);
  }
  const wanted = [...epochs.keys()];
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
  { cannotRun, together }: Assigning,
): NodeId | undefined {
  const fits = ([nodeId, seats]: readonly [NodeId, number]) =>
    seats >= players && !cannotRun(roomId, nodeId);
  const own = left.get(holder);
  if (own !== undefined && fits([holder, own])) return holder;
  const others = [...left].filter(fits);
  const near = others.filter(([nodeId]) => together(nodeId, holder));
  const [freest] = (near.length > 0 ? near : others).toSorted(bySeats);
  return freest?.[0];
}

/** Of two that are the same the holder's name decides, so that every core chooses alike. */
function isFresher(a: HeldCopy, b: HeldCopy): boolean {
  const order = a.tick - b.tick;
  return order > 0 || (order === 0 && a.holder < b.holder);
}

function byPlayers(a: HeldCopy, b: HeldCopy): number {
  return b.players - a.players || (a.roomId < b.roomId ? -1 : 1);
}

function bySeats([a, seatsA]: readonly [NodeId, number], [b, seatsB]: readonly [NodeId, number]) {
  return seatsB - seatsA || (a < b ? -1 : 1);
}
