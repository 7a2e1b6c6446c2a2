/**
 * The copies of other nodes' rooms that this node keeps: by room and owner, each a log of frames.
 *
 * The owner's own copy is worth more than any other. What is passed on by other nodes is kept apart from it, and by
 * the region that passed it: none can replace, or hold up, what the owner or another region sends.
 *
 * Both the number of copies and their bytes are bounded: past either a copy is refused and its owner looks for
 * another standby. One region has half of either at most, and where all bytes are taken the region with most of them
 * loses copies first: none can take the others' protection away. A frame that does not follow the one before it leaves the copy as it was, and the owner is
 * asked for a full one.
 *
 * A room whose state this node's code does not know, as between two builds of a game, is refused as well: a copy that
 * can't be restored would be worse than none, because its owner would give the room away for it.
 *
 * A copy outlives the stream that brought it for `COPY_KEPT_MS`, in which the core decides who goes on with the
 * room. Pure apart from its own maps: the time is an argument.
 */
import { compareEpochs, type Epoch } from "../../shared/epoch.ts";
import type { GameName, NodeId, RegionId, RoomId } from "../../shared/ids.ts";
import type { CopyName, RoomCopy } from "../../shared/protocol/failover.ts";
import { frameHeadOf } from "../rooms/room-frame.ts";
import { broughtBy, type CopyLimits, CopyShares } from "./copy-shares.ts";
import { FrameLog } from "./frame-log.ts";

/** A copy whose owner sends no more is kept so long, ms. */
export const COPY_KEPT_MS = 30_000;
/** A log is begun anew with a full frame when it is so many times as large as that frame was, */
const GROWN_FACTOR = 16;
/** and at least so large, bytes. */
const GROWN_BYTES_MIN = 1024 * 1024;
/** No frame follows it. */
const NO_SEQ = -2;

export interface CopyKey {
  readonly roomId: RoomId;
  readonly ofNode: NodeId;
  /** The region of the node that brought it; undefined when that is the owner. */
  readonly passedBy: RegionId | undefined;
}

type RoomOfNode = Pick<CopyKey, "roomId" | "ofNode">;

export interface CopyOrigin extends CopyKey {
  readonly game: GameName;
  readonly roomEpoch: Epoch;
}

/** Stands for the stream that brings a copy: what an older one still has to say does not count. */
export type Feeder = object;

export interface Copy extends CopyOrigin {
  readonly log: FrameLog;
  feeder: Feeder;
  seq: number;
  tick: number;
  players: number;
  firstFrameBytes: number;
  /** Asked for a full frame, which has not come. */
  wantsFull: boolean;
  /** Without a stream that brings more it goes at this time. */
  goesAtMs: number | undefined;
}

/** The hash of the state's classes of a game that this node runs. */
export type SchemaOf = (game: GameName) => string | undefined;

/** What the owner is to be told of a frame. */
export type Taken = "kept" | "again" | "refused";

export class CopyStore {
  readonly #copies = new Map<string, Copy>();
  readonly #shares: CopyShares;
  readonly #schemaOf: SchemaOf | undefined;

  /** @param schemaOf without it rooms of all games are kept */
  constructor(limits: CopyLimits, schemaOf?: SchemaOf) {
    this.#shares = new CopyShares(limits);
    this.#schemaOf = schemaOf;
  }

  get count(): number {
    return this.#copies.size;
  }

  get heldBytes(): number {
    return this.#shares.heldBytes;
  }

  get roomsPerRegionMax(): number {
    return this.#shares.copiesPerRegionMax;
  }

  /**
   * A stream will bring that room's frames.
   * @returns false when there is no place for it, or what is here is later or the owner's own
   */
  open(origin: CopyOrigin, feeder: Feeder): boolean {
    if (origin.passedBy === undefined) this.#dropPassed(origin);
    else if (this.#outdone(origin)) return false;
    const key = keyOf(origin);
    const before = this.#copies.get(key);
    if (before) {
      const order = compareEpochs(origin.roomEpoch, before.roomEpoch);
      if (order < 0) return false;
      if (order === 0) {
        // Until its first full frame is here, what there is of it is kept.
        Object.assign(before, { feeder, goesAtMs: undefined, wantsFull: true });
        return true;
      }
      this.#drop(key);
    }
    const log = new FrameLog();
    if (!this.#shares.hasPlace(origin, log.heldBytes)) return false;
    this.#shares.account(origin, { copies: 1, bytes: log.heldBytes });
    this.#copies.set(key, {
      ...origin,
      feeder,
      log,
      seq: NO_SEQ,
      tick: 0,
      players: 0,
      firstFrameBytes: 0,
      wantsFull: true,
      goesAtMs: undefined,
    });
    return true;
  }

  /** @throws {RoomStateError} the bytes are no frame: whatever sent them is worth nothing */
  frame(key: CopyKey, feeder: Feeder, bytes: Uint8Array, players: number): Taken {
    const copy = this.#fed(key, feeder);
    if (!copy) return "refused";
    const { kind, schemaHash, seq, tick } = frameHeadOf(bytes);
    if (kind === "delta") {
      if (copy.wantsFull) return "kept";
      if (seq !== copy.seq + 1) return this.#wantFull(copy);
    } else {
      if (this.#schemaOf && this.#schemaOf(copy.game) !== schemaHash) {
        this.#drop(keyOf(key));
        return "refused";
      }
      copy.log.clear();
      copy.firstFrameBytes = bytes.length;
      copy.wantsFull = false;
    }
    const heldBefore = copy.log.heldBytes;
    copy.log.add(bytes);
    const grownBytes = copy.log.heldBytes - heldBefore;
    if (grownBytes > 0 && !this.#makePlace(copy, grownBytes)) {
      this.#drop(keyOf(key));
      return "refused";
    }
    Object.assign(copy, { seq, tick, players });
    const grown = Math.max(GROWN_BYTES_MIN, copy.firstFrameBytes * GROWN_FACTOR);
    return copy.log.length > grown ? this.#askAgain(copy) : "kept";
  }

  /**
   * The owner runs the room no more: what is here is all of it.
   * @returns the room, if it was the owner itself that gave it
   */
  last(key: CopyKey, feeder: Feeder, nowMs: number): CopyName | undefined {
    const copy = this.#fed(key, feeder);
    if (!copy) return undefined;
    copy.goesAtMs = nowMs + COPY_KEPT_MS;
    const { roomId, ofNode, roomEpoch, passedBy } = copy;
    return passedBy === undefined ? { roomId, ofNode, roomEpoch } : undefined;
  }

  /** The room ended. */
  ended(key: CopyKey, feeder: Feeder): void {
    if (this.#fed(key, feeder)) this.#drop(keyOf(key));
  }

  /** The room goes on here: copies of its former owners are worth nothing. */
  forgetRoom(roomId: RoomId): void {
    for (const [key, copy] of this.#copies) if (copy.roomId === roomId) this.#drop(key);
  }

  /** No stream brings more of it. */
  orphan(key: CopyKey, feeder: Feeder, nowMs: number): void {
    const copy = this.#fed(key, feeder);
    if (copy) copy.goesAtMs ??= nowMs + COPY_KEPT_MS;
  }

  /** Drops what was kept for long enough. */
  expire(nowMs: number): void {
    for (const [key, { goesAtMs }] of this.#copies) {
      if (goesAtMs !== undefined && nowMs >= goesAtMs) this.#drop(key);
    }
  }

  /** A whole copy of that very epoch: the owner's own before those that were passed on. */
  find({ roomId, ofNode, roomEpoch }: CopyName): Copy | undefined {
    const fits = (copy: Copy | undefined) =>
      copy && copy.log.frames > 0 && compareEpochs(copy.roomEpoch, roomEpoch) === 0;
    const own = this.#ownOf({ roomId, ofNode });
    return fits(own) ? own : this.#passedOf({ roomId, ofNode }).find(fits);
  }

  /** Whole ones that the owners themselves sent. */
  of(nodes: ReadonlySet<NodeId>): RoomCopy[] {
    const found: RoomCopy[] = [];
    for (const {
      roomId,
      game,
      ofNode,
      roomEpoch,
      tick,
      players,
      log,
      passedBy,
    } of this.#copies.values()) {
      if (passedBy !== undefined || !nodes.has(ofNode) || log.frames === 0) continue;
      found.push({ roomId, game, ofNode, roomEpoch, tick, players });
    }
    return found;
  }

  /** A whole one, another each time, until all had their turn. */
  inTurn(): Copy | undefined {
    for (const [key, copy] of [...this.#copies]) {
      this.#copies.delete(key);
      this.#copies.set(key, copy);
      if (copy.log.frames > 0) return copy;
    }
    return undefined;
  }

  /** No room can be made of it: with its next frame the owner is asked for a full one. */
  distrust(copy: Copy): void {
    copy.seq = NO_SEQ;
  }

  #fed(key: CopyKey, feeder: Feeder): Copy | undefined {
    const copy = this.#copies.get(keyOf(key));
    return copy?.feeder === feeder ? copy : undefined;
  }

  /** @returns false when this copy itself has to go: its region has too much, or more than any other */
  #makePlace(copy: Copy, grownBytes: number): boolean {
    this.#shares.account(copy, { copies: 0, bytes: grownBytes });
    if (this.#shares.isOver(copy)) return false;
    while (this.#shares.over) {
      const largest = this.#largestOfHeaviest();
      if (!largest || broughtBy(largest) === broughtBy(copy)) return false;
      // Its owner hears of it with its next frame.
      this.#drop(keyOf(largest));
    }
    return true;
  }

  #largestOfHeaviest(): Copy | undefined {
    const { heaviest } = this.#shares;
    let largest: Copy | undefined;
    for (const copy of this.#copies.values()) {
      if (broughtBy(copy) !== heaviest) continue;
      if (!largest || copy.log.heldBytes > largest.log.heldBytes) largest = copy;
    }
    return largest;
  }

  #ownOf({ roomId, ofNode }: RoomOfNode): Copy | undefined {
    return this.#copies.get(keyOf({ roomId, ofNode, passedBy: undefined }));
  }

  #passedOf({ roomId, ofNode }: RoomOfNode): Copy[] {
    return [...this.#copies.values()].filter(
      (copy) => copy.passedBy !== undefined && copy.roomId === roomId && copy.ofNode === ofNode,
    );
  }

  /** The owner speaks for itself: what others say of the room is worth nothing, whatever its epoch. */
  #dropPassed(room: RoomOfNode): void {
    for (const copy of this.#passedOf(room)) this.#drop(keyOf(copy));
  }

  /** What another node hands on is never worth more than what the owner itself sent. */
  #outdone(passed: CopyOrigin): boolean {
    const own = this.#ownOf(passed);
    if (!own || own.log.frames === 0) return false;
    return compareEpochs(passed.roomEpoch, own.roomEpoch) <= 0;
  }

  #wantFull(copy: Copy): Taken {
    copy.wantsFull = true;
    return "again";
  }

  /** The log is whole, and would only be shorter: deltas are taken until the full frame is here. */
  #askAgain(copy: Copy): Taken {
    // Once for each time that it has grown so much.
    copy.firstFrameBytes = copy.log.length;
    return "again";
  }

  #drop(key: string): void {
    const copy = this.#copies.get(key);
    if (!copy) return;
    this.#copies.delete(key);
    this.#shares.account(copy, { copies: -1, bytes: -copy.log.heldBytes });
  }
}

function keyOf({ roomId, ofNode, passedBy }: CopyKey): string {
  return `${passedBy ?? ""} ${ofNode} ${roomId}`;
}
