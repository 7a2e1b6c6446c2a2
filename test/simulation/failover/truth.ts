/** What has happened in truth, and what must never happen. */
import type { HeldCopy } from "../../../core/failover/assign-step.ts";
import { compareEpochs, type Epoch } from "../../../shared/epoch.ts";
import type { NodeId, PlayerId, RoomId } from "../../../shared/ids.ts";
import { Violation } from "../violation.ts";
import type { ValueOp } from "./core-rooms.ts";
import type { NodeModel } from "./node.ts";
import type { World } from "./world.ts";

/** What was so for so long is known to the core: a look, an answer on its way, and how long both count. */
export const KNOWN_MS = 3_300;

interface Owner {
  readonly nodeId: NodeId;
  readonly epoch: Epoch;
}

interface DocumentOwner extends Owner {
  readonly released: boolean;
}

export class Truth {
  readonly #world: World;
  readonly #fenced = new Set<NodeId>();
  readonly #silenced = new Set<NodeId>();
  readonly #rooms = new Map<RoomId, Owner>();
  readonly #epochs = new Set<string>();
  readonly #running = new Set<string>();
  readonly #documents = new Map<PlayerId, DocumentOwner>();
  /** By their cause, the operation that was booked. */
  readonly #coins = new Map<string, string>();
  readonly #told = new Set<string>();
  failovers = 0;

  constructor(world: World) {
    this.#world = world;
  }

  beatTaken(nodeId: NodeId): void {
    if (this.#fenced.has(nodeId)) throw new Violation("no lease after a fence", nodeId);
  }

  /** Not at a node that was taken for silent: its lease has ended before. */
  seatGranted({ id }: NodeModel): void {
    if (this.#silenced.has(id)) throw new Violation("no seat after a fence", id);
  }

  fenced(node: NodeModel, because: "refused" | "silent" | "replaced"): void {
    this.#fenced.add(node.id);
    if (because === "silent") this.#silenced.add(node.id);
    if (because !== "replaced") this.failovers += 1;
    if (node.dead) return;
    const story = `${node.id} lives, ${because}`;
    if (because === "replaced" && node.serves) throw new Violation("no false failover", story);
    if (this.#world.onlyNoise) throw new Violation("no false failover", story);
    // Whatever the fence takes from it, it misleads nobody any more.
    if (because === "silent" && node.leaseHeld) throw new Violation("no lease at a fence", story);
    const moved = this.#world.schedule.nowMs - node.movingSinceMs;
    if (!node.moves || moved < KNOWN_MS) return;
    this.#mustBeLost(node, because);
  }

  /** It lives and moves: somebody else than the core has to have lost it too. */
  #mustBeLost(node: NodeModel, because: string): void {
    const { links, living } = this.#world;
    const others = living.filter(({ regionId }) => regionId !== node.regionId);
    const reaching = others.filter(({ id }) => links.openFor(id, node.id, KNOWN_MS));
    const stable = reaching.filter(
      ({ id, moves, movingSinceMs, bornMs }) =>
        moves &&
        this.#world.schedule.nowMs - Math.max(movingSinceMs, bornMs) >= KNOWN_MS &&
        links.openFor("core", id, KNOWN_MS),
    );
    const story = `${node.id}, ${because}: reached by ${reaching.map(({ id }) => id).join(", ")}`;
    if (!this.#world.isQuiet) return;
    const known = because === "silent" && stable.length > 0;
    const agree = reaching.length === others.length && !this.#world.changedWithin(KNOWN_MS);
    if (known || (others.length > 0 && agree)) {
      throw new Violation("who lives and is reached by others is not fenced", story);
    }
  }

  claimed(claim: Owner & { roomId: RoomId; formerEpoch: Epoch | undefined }): void {
    const { roomId, nodeId, epoch, formerEpoch } = claim;
    const key = `${roomId} ${epoch}`;
    if (this.#epochs.has(key)) throw new Violation("no epoch is granted twice", key);
    this.#epochs.add(key);
    if (this.#fenced.has(nodeId)) this.#secondWriter(`${nodeId} is fenced and takes ${key}`);
    const before = this.#rooms.get(roomId);
    if (before && !this.#fenced.has(before.nodeId)) {
      this.#secondWriter(`${nodeId} takes ${key} from ${before.nodeId}, which has it`);
    }
    if (before && formerEpoch && compareEpochs(before.epoch, formerEpoch) > 0) {
      const story = `${nodeId} goes on with what ${formerEpoch} had, ${before.epoch} came after`;
      throw new Violation("the freshest copy goes on", story);
    }
    this.#rooms.set(roomId, { nodeId, epoch });
  }

  roomRuns({ id }: NodeModel, roomId: RoomId, epoch: Epoch): void {
    const key = `${roomId} ${epoch} at ${id}`;
    if (this.#running.has(key)) this.#secondWriter(`${key} runs twice`);
    this.#running.add(key);
  }

  coinBooked({ opId, cause, roomId, nodeId, roomEpoch }: ValueOp): void {
    const owner = this.#rooms.get(roomId);
    const owns = owner?.nodeId === nodeId && compareEpochs(owner.epoch, roomEpoch) === 0;
    if (!owns || this.#fenced.has(nodeId)) {
      this.#secondWriter(`${opId} of ${nodeId} ${roomEpoch} is taken, ${owner?.epoch} is newer`);
    }
    const before = this.#coins.get(cause);
    if (before) throw new Violation("a coin counts once", `${opId} after ${before}`);
    this.#coins.set(cause, opId);
  }

  coinTold(cause: string): void {
    this.#told.add(cause);
  }

  documentsGranted({ playerId, nodeId, epoch }: Owner & { playerId: PlayerId }): void {
    if (this.#fenced.has(nodeId)) this.#secondWriter(`${nodeId} is fenced and gets ${playerId}`);
    const before = this.#documents.get(playerId);
    if (before && !before.released && !this.#fenced.has(before.nodeId)) {
      this.#secondWriter(`${playerId} goes to ${nodeId}, and ${before.nodeId} has it`);
    }
    if (before && compareEpochs(epoch, before.epoch) <= 0) {
      throw new Violation("no epoch is granted twice", `${playerId} ${epoch}`);
    }
    this.#documents.set(playerId, { nodeId, epoch, released: false });
  }

  documentsWritten(playerId: PlayerId, epoch: Epoch): void {
    const owner = this.#documents.get(playerId);
    if (!owner || compareEpochs(owner.epoch, epoch) !== 0) {
      this.#secondWriter(`${playerId}: ${epoch} is written, ${owner?.epoch} owns`);
    }
  }

  documentsReleased(playerId: PlayerId, epoch: Epoch): void {
    const owner = this.#documents.get(playerId);
    if (owner && compareEpochs(owner.epoch, epoch) === 0) {
      this.#documents.set(playerId, { ...owner, released: true });
    }
  }

  assigned(copy: HeldCopy, found: readonly HeldCopy[]): void {
    for (const other of found) {
      const order = compareEpochs(other.roomEpoch, copy.roomEpoch);
      if (order < 0 || (order === 0 && other.tick <= copy.tick)) continue;
      const story = `${copy.roomId} ${copy.roomEpoch}/${copy.tick}, there is ${other.roomEpoch}/${other.tick}`;
      throw new Violation("the freshest copy goes on", story);
    }
  }

  roomGivenUp(roomId: RoomId, epoch: Epoch): void {
    for (const node of this.#world.living) {
      const copy = node.copies.get(roomId);
      const knows =
        !this.#fenced.has(node.id) && this.#world.links.openFor("core", node.id, KNOWN_MS);
      if (
        !copy ||
        !node.moves ||
        compareEpochs(copy.roomEpoch, epoch) !== 0 ||
        !knows ||
        !this.#world.isQuiet
      ) {
        continue;
      }
      if (
        this.#world.schedule.nowMs -
          Math.max(node.movingSinceMs, node.keptSinceMs.get(roomId) ?? 0) <
        KNOWN_MS
      )
        continue;
      throw new Violation(
        "a protected room comes back",
        `${roomId} is given up, ${node.id} has it`,
      );
    }
  }

  /** At the end. */
  checkCoins(): void {
    for (const cause of this.#told) {
      if (!this.#coins.has(cause)) throw new Violation("a coin counts once", `${cause} is lost`);
    }
  }

  #secondWriter(story: string): never {
    throw new Violation("at most one accepted writer", story);
  }
}
