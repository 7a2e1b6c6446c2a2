/**
 * The core: who runs which room, what rooms pay, and how rooms whose node is fenced get to the node that has the best
 * copy. Rows are in the database; which move is under way is only in memory.
 */
import type { HeldCopy } from "../../../core/failover/assign-step.ts";
import { EPOCH_NONE, type Epoch } from "../../../shared/epoch.ts";
import type { GameName, NodeId, PlayerId, RoomId } from "../../../shared/ids.ts";
import type { Claim, CoreModel } from "./core.ts";
import type { Copy } from "./hosted-room.ts";

const COPIES_MS = 800;
const AGAIN_MS_MAX = 1_000;
const MOVE_AGAIN_MS = 1_500;
/** Nodes that may have a copy do not answer: so long they are asked. */
const GIVE_UP_MS = 10_000;
const GAME = "field" as GameName;
const SEATS = 100;
/** Once in so many times a node that has a copy has no seats for the room. */
const FULL_ONCE_IN = 5;

interface RoomRow {
  readonly nodeId: NodeId;
  readonly epoch: Epoch;
  /** `moving`: it has lost its node and waits for the next one. */
  readonly state: "open" | "moving" | "ended";
  readonly claimId: string;
  readonly releasedMs: number;
}

export interface ValueOp {
  readonly opId: string;
  readonly cause: string;
  readonly roomId: RoomId;
  readonly nodeId: NodeId;
  readonly roomEpoch: Epoch;
}

export type Seat =
  | { readonly nodeId: NodeId; readonly sessionEpoch: Epoch }
  | "wait"
  | "room_not_found";

export class CoreRooms {
  readonly #core: CoreModel;
  readonly rows = new Map<RoomId, RoomRow>();
  readonly #ops = new Set<string>();
  /** Until when a move is left alone. */
  #moves = new Map<RoomId, number>();

  constructor(core: CoreModel) {
    this.#core = core;
  }

  owners(): NodeId[] {
    return [...this.rows.values()].flatMap(({ nodeId, state }) =>
      state === "open" ? [nodeId] : [],
    );
  }

  forget(): void {
    this.#moves = new Map();
    if (this.#core.world.parts.rules.movesAreResumed) return;
    for (const [id, { state }] of this.rows) {
      if (state === "moving") this.#moves.set(id, Number.POSITIVE_INFINITY);
    }
  }

  release(nodeId: NodeId): void {
    const releasedMs = this.#core.world.schedule.nowMs;
    for (const [id, row] of this.rows) {
      if (row.nodeId !== nodeId || row.state !== "open") continue;
      this.rows.set(id, { ...row, state: "moving", releasedMs });
    }
  }

  claim(claim: Claim, reply: (answer: Epoch | "refused") => void): void {
    const { world, term, fenced, regions } = this.#core;
    const { rules, compareEpochs } = world.parts;
    const { roomId, nodeId, claimId, formerEpoch } = claim;
    const row = this.rows.get(roomId);
    const answer = (told: Epoch | "refused") => this.#core.committed(() => reply(told));
    if (row?.claimId === claimId && rules.claimsAreKnownAgain) {
      answer(row.state === "open" ? row.epoch : "refused");
      return;
    }
    const life = regions.get(world.node(nodeId).regionId);
    const mayClaim = life && world.parts.mayClaim(claim.regionEpoch, life);
    const isFenced = fenced.has(nodeId) && rules.refusesFencedClaims;
    const isOwned = row?.state === "open" && rules.claimsCheckOwner;
    const isLate =
      row && formerEpoch && compareEpochs(row.epoch, formerEpoch) > 0 && rules.claimsNameFormer;
    if (!mayClaim || isFenced || isOwned || isLate) {
      answer("refused");
      return;
    }
    const epoch = world.parts.nextRoomEpoch(row?.epoch ?? EPOCH_NONE, term);
    world.truth.claimed({ roomId, nodeId, epoch, formerEpoch });
    this.rows.set(roomId, { nodeId, epoch, state: "open", claimId, releasedMs: 0 });
    this.#moves.delete(roomId);
    answer(epoch);
  }

  applyValue(op: ValueOp, reply: (answer: "committed" | "fenced") => void): void {
    const { world } = this.#core;
    const { rules } = world.parts;
    const row = this.rows.get(op.roomId);
    const owns =
      row?.state === "open" &&
      row.nodeId === op.nodeId &&
      String(row.epoch) === String(op.roomEpoch);
    if (!owns && rules.valueChecksEpoch) {
      this.#core.committed(() => reply("fenced"));
      return;
    }
    if (!this.#ops.has(op.opId) || !rules.valueOnce) {
      this.#ops.add(op.opId);
      world.truth.coinBooked(op);
    }
    this.#core.committed(() => reply("committed"));
  }

  /** A player has lost its node. */
  seat(playerId: PlayerId, roomId: RoomId): Seat {
    const row = this.rows.get(roomId);
    if (!row || row.state === "ended") return "room_not_found";
    const isThere = row.state === "open" && this.#core.healthOf(row.nodeId) === "healthy";
    if (!isThere) return "wait";
    return { nodeId: row.nodeId, sessionEpoch: this.#core.players.place(playerId) };
  }

  /** At every tick: rooms that wait for a node. */
  move(): void {
    const { nowMs } = this.#core.world.schedule;
    for (const [id, { state }] of this.rows) {
      if (state !== "moving" || (this.#moves.get(id) ?? 0) > nowMs) continue;
      this.#moves.set(id, nowMs + MOVE_AGAIN_MS);
      this.#askForCopies(id);
    }
  }

  #askForCopies(roomId: RoomId): void {
    const core = this.#core;
    const { world, life } = core;
    const asked = core.healthy();
    const found: HeldCopy[] = [];
    let waits = asked.length;
    let missing = 0;
    if (waits === 0) return;
    for (const holder of asked) {
      world.links.call<Copy | undefined | "none">(
        { from: "core", to: holder, deadlineMs: COPIES_MS },
        (reply) => reply(world.node(holder).copies.get(roomId) ?? "none"),
        (answer) => {
          if (life !== core.life) return;
          waits -= 1;
          if (answer === undefined) missing += 1;
          else if (answer !== "none") {
            const { state, ...name } = answer;
            found.push({ ...name, game: GAME, tick: state.tick, players: 1, holder });
          }
          if (waits === 0) this.#assign(roomId, found, missing);
        },
      );
    }
  }

  #assign(roomId: RoomId, copies: readonly HeldCopy[], missing: number): void {
    const core = this.#core;
    const { world } = core;
    const row = this.rows.get(roomId);
    if (row?.state !== "moving") return;
    const { placements, without } = world.parts.assign({
      rooms: [{ roomId, roomEpoch: row.epoch }],
      copies,
      seats: new Map(core.healthy().map((nodeId) => [nodeId, this.#seatsAt(nodeId)])),
      cannotRun: () => false,
      badCopy: () => false,
      together: (a, b) => world.node(a).regionId === world.node(b).regionId,
    });
    for (const { copy, to } of placements) {
      world.say(() => `core gives ${roomId} to ${to}, tick ${copy.tick} of ${copy.holder}`);
      world.truth.assigned(copy, copies);
      if (to === copy.holder) this.#takeOver(copy, to);
      else this.#pass(copy, to);
    }
    if (without.length === 0) return;
    const patience = missing === 0 && core.everybodyHeard() ? 0 : GIVE_UP_MS;
    if (world.schedule.nowMs - row.releasedMs < patience) return;
    world.say(() => `core ends ${roomId}: nobody has a copy`);
    world.truth.roomGivenUp(roomId, row.epoch);
    this.rows.set(roomId, { ...row, state: "ended" });
  }

  #seatsAt(nodeId: NodeId): number {
    const { chance } = this.#core.world;
    const isOnly = this.#core.healthy().every((id) => id === nodeId);
    return !isOnly && chance.once(FULL_ONCE_IN) ? 0 : SEATS;
  }

  #takeOver(copy: HeldCopy, to: NodeId): void {
    const { world } = this.#core;
    const call = () =>
      world.links.send("core", to, () => {
        world.runner(to)(() => world.node(to).takeOver(copy));
      });
    call();
    // The answer was lost: it is told again.
    if (world.chance.once(3)) world.schedule.after(world.chance.below(AGAIN_MS_MAX), call);
  }

  /** Another node has the seats. */
  #pass(copy: HeldCopy, to: NodeId): void {
    const { world, life } = this.#core;
    world.links.call<true>(
      { from: "core", to: copy.holder, deadlineMs: COPIES_MS },
      (reply) => {
        const kept = world.node(copy.holder).copies.get(copy.roomId);
        if (!kept) return;
        world.links.send(copy.holder, to, () => {
          world.runner(to)(() => {
            world.node(to).keep(kept);
            world.links.send(to, copy.holder, () => reply(true));
          });
        });
      },
      (answer) => {
        if (answer && life === this.#core.life) this.#takeOver(copy, to);
      },
    );
  }
}
