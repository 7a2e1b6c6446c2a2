/**
 * Moves the rooms of one fenced node to their next owners, in rounds: who has copies is asked, each room is
 * assigned to the freshest, and that node is told to go on. A room is done when its next owner has claimed it.
 *
 * What fails in a round is tried in the next: with the same node after a call that got no answer, for taking
 * over is idempotent; with another copy after a refusal, or when that node is lost as well. Two nodes that
 * restored the same room are no harm: the first claim is granted, and the other ends its own. A room of which
 * nobody has a copy, once everybody could be asked, is given up at once; whatever is left at the end too.
 */
import { type Clock, sleep } from "../../shared/clock.ts";
import { isFailure } from "../../shared/errors.ts";
import type { NodeId, RoomId } from "../../shared/ids.ts";
import { NodeAddress, ROOMS_PER_CALL_MAX } from "../../shared/protocol/failover.ts";
import { RELEASED_ROOM_MS } from "../../shared/protocol/link.ts";
import type { NodeCalls } from "../regions/node-calls.ts";
import type { NodeRecord } from "../regions/registry-step.ts";
import { assign, type HeldCopy, type Placement } from "./assign-step.ts";
import { findCopies, type Nodes, seatsLeft, together } from "./copies.ts";
import type { LostRoom } from "./fence-store.ts";
import type { PromisedSeats } from "./promised-seats.ts";

/** Before players hear that their room is gone by time alone. */
const PATIENCE_MS = RELEASED_ROOM_MS - 3_000;
const PAUSE_MS = 250;
/** A node that has said that it goes on with a room claims it by then. */
const CLAIM_MS = 3_000;
/** Rounds in which somebody did not answer, before rooms without a copy are given up all the same. */
const INCOMPLETE_MAX = 3;
const CALLS_FAILED_MAX = 2;

export interface MoverDeps extends Nodes {
  readonly node: (nodeId: NodeId) => NodeRecord | undefined;
  /** Whether every node that lives has been heard: not before that is a copy missing. */
  readonly heardAll: () => boolean;
  readonly calls: Pick<NodeCalls, "copies" | "takeOver" | "passCopies">;
  readonly promised: PromisedSeats;
  /** Ends rooms for whoever asks. @returns those that nobody had claimed */
  readonly giveUp: (roomIds: readonly RoomId[]) => Promise<readonly RoomId[]>;
  readonly onFailed: (nodeId: NodeId) => void;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

export interface Moved {
  readonly rooms: number;
  readonly moved: number;
  readonly unprotected: number;
  /** Players of the rooms that moved, as of their last frames. */
  readonly players: number;
  readonly rounds: number;
  /** From the begin until copies were found, rooms were told to go on, all was done; ms. */
  readonly foundMs: number;
  readonly toldMs: number;
  readonly doneMs: number;
}

interface Told {
  readonly to: NodeId;
  readonly players: number;
  readonly atMs: number;
}

export class Mover {
  readonly #deps: MoverDeps;
  readonly #nodeId: NodeId;
  readonly #rooms: number;
  readonly #open: Set<RoomId>;
  readonly #told = new Map<RoomId, Told>();
  readonly #failed = new Set<string>();
  readonly #callsFailed = new Map<NodeId, number>();
  readonly #startMs: number;
  #players = 0;
  #unprotected = 0;
  #incomplete = 0;
  #foundMs = 0;
  #toldMs = 0;
  #wake = new AbortController();

  constructor(nodeId: NodeId, rooms: readonly LostRoom[], deps: MoverDeps) {
    this.#nodeId = nodeId;
    this.#deps = deps;
    this.#rooms = rooms.length;
    this.#open = new Set(rooms.map(({ roomId }) => roomId));
    this.#startMs = deps.clock.monotonicMs();
  }

  /** A room has its next owner. @returns false when it is none of these */
  claimed(roomId: RoomId): boolean {
    if (!this.#open.delete(roomId)) return false;
    this.#players += this.#told.get(roomId)?.players ?? 0;
    if (this.#open.size === 0) this.#wake.abort();
    return true;
  }

  async run(): Promise<Moved> {
    const { clock, signal } = this.#deps;
    const endsAtMs = this.#startMs + PATIENCE_MS;
    let rounds = 0;
    while (this.#open.size > 0 && clock.monotonicMs() < endsAtMs && !signal.aborted) {
      const waiting = this.#unassigned();
      if (waiting.length > 0) {
        rounds += 1;
        await this.#round(waiting);
      }
      await this.#pause();
    }
    // A core that ends leaves what is open to the next one.
    if (!signal.aborted) await this.#giveUp([...this.#open]);
    return {
      rooms: this.#rooms,
      moved: this.#rooms - this.#unprotected - this.#open.size,
      unprotected: this.#unprotected,
      players: this.#players,
      rounds,
      foundMs: this.#foundMs,
      toldMs: this.#toldMs,
      doneMs: this.#sinceMs(),
    };
  }

  /** Rooms with which nobody goes on, as far as is known. */
  #unassigned(): RoomId[] {
    const nowMs = this.#deps.clock.monotonicMs();
    return [...this.#open].filter((roomId) => {
      const told = this.#told.get(roomId);
      return !told || this.#deps.isLost(told.to) || nowMs - told.atMs >= CLAIM_MS;
    });
  }

  async #round(roomIds: readonly RoomId[]): Promise<void> {
    const { promised, heardAll } = this.#deps;
    const knewAll = heardAll();
    const { copies, complete } = await findCopies(this.#nodeId, this.#deps);
    this.#foundMs ||= this.#sinceMs();
    const { placements, without } = assign({
      roomIds: roomIds.filter((roomId) => this.#open.has(roomId)),
      copies,
      seats: seatsLeft(this.#deps, (nodeId) => promised.at(nodeId)),
      failed: (roomId, nodeId) => this.#hasFailed(roomId, nodeId),
      together,
    });
    for (const { copy, to } of placements) promised.add(to, copy.players);
    if (!complete) this.#incomplete += 1;
    const sure = knewAll && (complete || this.#incomplete >= INCOMPLETE_MAX);
    await Promise.all([
      sure ? this.#giveUp(without) : undefined,
      ...groupsOf(placements).map((group) => this.#place(group)),
    ]);
    this.#toldMs ||= this.#sinceMs();
  }

  /** @param group of one holder and one next owner, no more than one call takes */
  async #place(group: readonly Placement[]): Promise<void> {
    const [first] = group;
    if (!first) return;
    const { to, copy } = first;
    const copies = group.map((placement) => placement.copy);
    const there = to === copy.holder ? copies : await this.#pass(copies, to);
    if (there.length > 0) await this.#takeOver(there, to);
  }

  /** @returns the copies that are there now */
  async #pass(copies: readonly HeldCopy[], to: NodeId): Promise<readonly HeldCopy[]> {
    const { node, calls } = this.#deps;
    const [holder, target] = [node(copies[0]?.holder ?? to), node(to)];
    if (!holder || !target) return [];
    const { linkAddress } = target.heartbeat;
    const address = NodeAddress.parse({ nodeId: to, linkAddress });
    const rooms = copies.map(nameOf);
    const answer = await this.#call(holder.nodeId, () => {
      return calls.passCopies(holder, { rooms, to: address });
    });
    for (const { roomId } of answer?.failed ?? []) this.#fail(roomId, to);
    const passed = new Set(answer?.passed);
    return copies.filter(({ roomId }) => passed.has(roomId));
  }

  async #takeOver(copies: readonly HeldCopy[], to: NodeId): Promise<void> {
    const { node, calls, clock } = this.#deps;
    const target = node(to);
    if (!target) return;
    const rooms = copies.map(nameOf);
    // Before the call: the claim may come before its answer.
    const atMs = clock.monotonicMs();
    for (const { roomId, players } of copies) this.#told.set(roomId, { to, players, atMs });
    const answer = await this.#call(to, () => calls.takeOver(target, { rooms }));
    const taken = new Set(answer?.taken.map(({ roomId }) => roomId));
    for (const { roomId } of copies) {
      if (!taken.has(roomId) && this.#open.has(roomId)) this.#told.delete(roomId);
    }
    for (const { roomId } of answer?.failed ?? []) this.#fail(roomId, to);
  }

  /** Undefined after a failure, which the next round may mend. */
  async #call<T>(nodeId: NodeId, call: () => Promise<T>): Promise<T | undefined> {
    try {
      return await call();
    } catch (error) {
      if (!isFailure(error)) throw error;
      this.#callsFailed.set(nodeId, (this.#callsFailed.get(nodeId) ?? 0) + 1);
      this.#deps.onFailed(nodeId);
      return undefined;
    }
  }

  #fail(roomId: RoomId, nodeId: NodeId): void {
    this.#failed.add(`${roomId} ${nodeId}`);
  }

  #hasFailed(roomId: RoomId, nodeId: NodeId): boolean {
    const calls = this.#callsFailed.get(nodeId) ?? 0;
    return calls >= CALLS_FAILED_MAX || this.#failed.has(`${roomId} ${nodeId}`);
  }

  async #giveUp(roomIds: readonly RoomId[]): Promise<void> {
    if (roomIds.length === 0) return;
    const given = await this.#tryToGiveUp(roomIds);
    for (const roomId of given) this.#open.delete(roomId);
    this.#unprotected += given.length;
    if (this.#open.size === 0) this.#wake.abort();
  }

  /** Without the database they stay as they are, and end by themselves when it takes too long. */
  async #tryToGiveUp(roomIds: readonly RoomId[]): Promise<readonly RoomId[]> {
    try {
      return await this.#deps.giveUp(roomIds);
    } catch (error) {
      if (!isFailure(error)) throw error;
      return [];
    }
  }

  async #pause(): Promise<void> {
    const { clock, signal } = this.#deps;
    const either = AbortSignal.any([signal, this.#wake.signal]);
    await sleep(clock, PAUSE_MS, either);
  }

  #sinceMs(): number {
    return Math.round(this.#deps.clock.monotonicMs() - this.#startMs);
  }
}

/** Placements of the same holder and next owner, as many as one call takes. */
function groupsOf(placements: readonly Placement[]): Placement[][] {
  const byWay = new Map<string, Placement[]>();
  for (const placement of placements) {
    const way = `${placement.copy.holder} ${placement.to}`;
    const known = byWay.get(way);
    if (known) known.push(placement);
    else byWay.set(way, [placement]);
  }
  return [...byWay.values()].flatMap((all) => {
    const calls = Math.ceil(all.length / ROOMS_PER_CALL_MAX);
    return Array.from({ length: calls }, (_, n) => {
      return all.slice(n * ROOMS_PER_CALL_MAX, (n + 1) * ROOMS_PER_CALL_MAX);
    });
  });
}

function nameOf({ roomId, ofNode, roomEpoch }: HeldCopy) {
  return { roomId, ofNode, roomEpoch };
}
