/**
 * Moves the rooms of one fenced node to their next owners, in rounds: who has copies is asked, each room is
 * assigned to the freshest, and that node is told to go on. A room is done when its next owner has claimed it.
 *
 * What fails in a round is tried in the next: with the same node after a call that got no answer, for taking
 * over is idempotent; with another node after a refusal, to which the copy is passed on; with another copy only
 * when this one turned out to be none. Two nodes that restored the same room are no harm: the first claim is
 * granted, and the other ends its own. A room of which nobody has a copy, once everybody has answered, is given up
 * at once, and so is one that everybody has refused for good; whatever is left at the end too.
 */
import { type Clock, sleep } from "../../shared/clock.ts";
import type { Epoch } from "../../shared/epoch.ts";
import { isFailure } from "../../shared/errors.ts";
import type { NodeId, RoomId } from "../../shared/ids.ts";
import {
  BAD_COPY,
  NO_COPY,
  NO_SEATS,
  NodeAddress,
  ROOMS_PER_CALL_MAX,
} from "../../shared/protocol/failover.ts";
import { RELEASED_ROOM_MS } from "../../shared/protocol/link.ts";
import type { NodeCalls } from "../regions/node-calls.ts";
import type { NodeRecord } from "../regions/registry-step.ts";
import { assign, type HeldCopy, type Placement, type RoomToAssign } from "./assign-step.ts";
import { findCopies, type Nodes, seatsLeft, together } from "./copies.ts";
import type { PromisedSeats } from "./promised-seats.ts";

/** Before players hear that their room is gone by time alone. */
export const PATIENCE_MS = RELEASED_ROOM_MS - 3_000;
const PAUSE_MS = 250;
/** A node that has said that it goes on with a room claims it by then. */
const CLAIM_MS = 3_000;
/** A node that had no seats for a room, or did not get its copy in time, is asked again after that. */
const REFUSED_MS = 1_000;
/** Rounds in a row in which a node answers no call, before rooms go elsewhere for a while. */
const SILENT_ROUNDS_MAX = 2;
const AVOIDED_MS = 2_000;

export interface MoverDeps extends Nodes {
  readonly node: (nodeId: NodeId) => NodeRecord | undefined;
  /** Whether every node that lives has been heard: not before that is a copy missing. */
  readonly heardAll: () => boolean;
  readonly calls: Pick<NodeCalls, "copies" | "takeOver" | "passCopies">;
  readonly promised: PromisedSeats;
  /** Ends rooms for whoever asks. @returns those that nobody had claimed */
  readonly giveUp: (roomIds: readonly RoomId[]) => Promise<readonly RoomId[]>;
  readonly onFailed: (nodeId: NodeId) => void;
  /** After that what is left is given up; `PATIENCE_MS` from the rooms' release. */
  readonly patienceMs: number;
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
  /** With the epoch under which the lost node ran them. */
  readonly #open: Map<RoomId, Epoch>;
  readonly #told = new Map<RoomId, Told>();
  /** Until when which node is not asked to run which room, monotonic ms. */
  readonly #refused = new Map<string, number>();
  readonly #badCopies = new Set<string>();
  readonly #silentRounds = new Map<NodeId, number>();
  readonly #avoided = new Map<NodeId, number>();
  /** Of the round that is under way. */
  readonly #calls = new Map<NodeId, { answered: boolean }>();
  readonly #startMs: number;
  #players = 0;
  #unprotected = 0;
  #foundMs = 0;
  #toldMs = 0;
  #wake = new AbortController();

  constructor(nodeId: NodeId, rooms: readonly RoomToAssign[], deps: MoverDeps) {
    this.#nodeId = nodeId;
    this.#deps = deps;
    this.#rooms = rooms.length;
    this.#open = new Map(rooms.map(({ roomId, roomEpoch }) => [roomId, roomEpoch]));
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
    const { clock, signal, patienceMs } = this.#deps;
    const endsAtMs = this.#startMs + patienceMs;
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
    if (!signal.aborted) await this.#giveUp([...this.#open.keys()]);
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
  #unassigned(): RoomToAssign[] {
    const nowMs = this.#deps.clock.monotonicMs();
    const rooms = [...this.#open].map(([roomId, roomEpoch]) => ({ roomId, roomEpoch }));
    return rooms.filter(({ roomId }) => {
      const told = this.#told.get(roomId);
      return !told || this.#deps.isLost(told.to) || nowMs - told.atMs >= CLAIM_MS;
    });
  }

  async #round(rooms: readonly RoomToAssign[]): Promise<void> {
    const { promised, heardAll } = this.#deps;
    const knewAll = heardAll();
    const { copies, complete } = await findCopies(this.#nodeId, this.#deps);
    this.#foundMs ||= this.#sinceMs();
    const { placements, without, crowded } = assign({
      rooms: rooms.filter(({ roomId }) => this.#open.has(roomId)),
      copies,
      seats: seatsLeft(this.#deps, (nodeId) => promised.at(nodeId)),
      cannotRun: (roomId, nodeId) => this.#cannotRun(roomId, nodeId),
      badCopy: (roomId, holder) => this.#badCopies.has(`${roomId} ${holder}`),
      together,
    });
    for (const { copy, to } of placements) promised.add(to, copy.players);
    const hopeless = crowded.filter((roomId) => this.#isHopeless(roomId));
    this.#calls.clear();
    await Promise.all([
      knewAll && complete ? this.#giveUp([...without, ...hopeless]) : undefined,
      ...groupsOf(placements).map((group) => this.#place(group)),
    ]);
    this.#noteSilence();
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
    for (const { roomId, why } of answer?.failed ?? []) {
      if (isBadCopy(why)) this.#badCopies.add(`${roomId} ${holder.nodeId}`);
      else this.#refuse(roomId, to, REFUSED_MS);
    }
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
    for (const { roomId, why } of answer?.failed ?? []) {
      if (isBadCopy(why)) this.#badCopies.add(`${roomId} ${to}`);
      else this.#refuse(roomId, to, why === NO_SEATS ? REFUSED_MS : Number.POSITIVE_INFINITY);
    }
  }

  /** Undefined after a failure, which the next round may mend. */
  async #call<T>(nodeId: NodeId, call: () => Promise<T>): Promise<T | undefined> {
    const called = this.#calls.get(nodeId) ?? { answered: false };
    this.#calls.set(nodeId, called);
    try {
      const answer = await call();
      called.answered = true;
      return answer;
    } catch (error) {
      if (!isFailure(error)) throw error;
      this.#deps.onFailed(nodeId);
      return undefined;
    }
  }

  #refuse(roomId: RoomId, nodeId: NodeId, forMs: number): void {
    this.#refused.set(`${roomId} ${nodeId}`, this.#deps.clock.monotonicMs() + forMs);
  }

  #cannotRun(roomId: RoomId, nodeId: NodeId): boolean {
    const nowMs = this.#deps.clock.monotonicMs();
    const untilMs = this.#refused.get(`${roomId} ${nodeId}`) ?? 0;
    return untilMs > nowMs || (this.#avoided.get(nodeId) ?? 0) > nowMs;
  }

  /** Whether each node that may ever go on with rooms has refused this one for good. */
  #isHopeless(roomId: RoomId): boolean {
    const { regions, isLost } = this.#deps;
    const others = regions()
      .flatMap(({ nodes }) => [...nodes.values()])
      .filter(({ nodeId, heartbeat }) => heartbeat.replication !== undefined && !isLost(nodeId))
      .filter(({ nodeId }) => nodeId !== this.#nodeId);
    return others.every(({ nodeId }) => {
      return this.#refused.get(`${roomId} ${nodeId}`) === Number.POSITIVE_INFINITY;
    });
  }

  /** One answer in a round shows that the node is there. */
  #noteSilence(): void {
    for (const [nodeId, { answered }] of this.#calls) {
      const rounds = answered ? 0 : (this.#silentRounds.get(nodeId) ?? 0) + 1;
      const isSilent = rounds >= SILENT_ROUNDS_MAX;
      this.#silentRounds.set(nodeId, isSilent ? 0 : rounds);
      if (isSilent) this.#avoided.set(nodeId, this.#deps.clock.monotonicMs() + AVOIDED_MS);
    }
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

function isBadCopy(why: string): boolean {
  return why === NO_COPY || why.startsWith(BAD_COPY);
}

function nameOf({ roomId, ofNode, roomEpoch }: HeldCopy) {
  return { roomId, ofNode, roomEpoch };
}
