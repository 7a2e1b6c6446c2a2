/** One evacuation under way: carries out what `evacuation-step.ts` says, and tells it what came of it. */
import type { Logger } from "pino";
import { type Clock, sleep } from "../../shared/clock.ts";
import { isFailure, MeridianError } from "../../shared/errors.ts";
import type { NodeId, RoomId } from "../../shared/ids.ts";
import type { Counter } from "../../shared/metrics.ts";
import { RELEASED_ROOM_MS } from "../../shared/protocol/link.ts";
import type {
  EvacuationOrder,
  EvacuationStatus,
  EvacuationTarget,
} from "../../shared/protocol/ops-failover.ts";
import type { Sql } from "../db/database.ts";
import type { NodeCalls } from "../regions/node-calls.ts";
import { liveNodes } from "../regions/region-view.ts";
import type { Registry } from "../regions/registry.ts";
import type { NodeRecord } from "../regions/registry-step.ts";
import type { RoomToAssign } from "./assign-step.ts";
import { seatsLeft } from "./copies.ts";
import { findCopies } from "./evacuation-copies.ts";
import {
  type Arriving,
  type Evacuation,
  type EvacuationEffect,
  type EvacuationEvent,
  evacuationStep,
  isOver,
  newEvacuation,
} from "./evacuation-step.ts";
import { selectOpenRooms, selectStandings } from "./evacuation-store.ts";
import { type Moved, PATIENCE_MS } from "./mover.ts";
import type { PromisedSeats } from "./promised-seats.ts";
import { hasSiblings } from "./standbys.ts";

/** Of one look; the rest is found by the next. */
const LISTED_MAX = 10_000;
/** After a failure of the database, and before rooms whose owner's answer was lost are looked for. */
const PAUSE_MS = 1_000;

export interface EvacuationStart extends EvacuationTarget {
  readonly roomsPerS: number;
  /** The operator's name. */
  readonly by: string;
  /** Told once, when it is over. Never rejects. */
  readonly onOver: (status: EvacuationStatus) => Promise<void>;
}

export interface EvacuationRunDeps {
  readonly database: Sql;
  readonly registry: Pick<Registry, "regions" | "node">;
  readonly calls: Pick<NodeCalls, "moveRooms" | "takeOver" | "copies">;
  readonly promised: PromisedSeats;
  /** `Failovers.goOn` */
  readonly goOn: GoOn;
  readonly clock: Clock;
  readonly log: Logger;
  readonly rooms: Counter<"outcome">;
}

/** Of what a released room has, the owner's and its standby's call may have taken some. */
const GO_ON_MS = PATIENCE_MS - 4_000;

export type GoOn = (
  nodeId: NodeId,
  rooms: readonly RoomToAssign[],
  patienceMs: number,
) => Promise<Pick<Moved, "players">>;

/**
 * Of a node that is emptied alone: its rooms are copied to its siblings first (`standbys.ts`), which takes a heartbeat
 * or two and the rooms' size. One that is not there by then goes to the standby that it has.
 */
const COPIED_MS = 3_000;

const PHASES = { pause: "paused", resume: "running", stop: "stopped" } as const;

export class EvacuationRun {
  readonly #start: EvacuationStart;
  readonly #deps: EvacuationRunDeps;
  readonly #startedAtMs: number;
  readonly #underWay = new Set<Promise<void>>();
  #endedAtMs: number | null = null;
  /** Nothing moves before, monotonic. */
  readonly #notBeforeMs: number;
  #state: Evacuation;

  constructor(start: EvacuationStart, deps: EvacuationRunDeps) {
    this.#start = start;
    this.#deps = deps;
    this.#startedAtMs = deps.clock.nowMs();
    const nowMs = deps.clock.monotonicMs();
    this.#notBeforeMs =
      start.nodeId && hasSiblings(start.nodeId, deps.registry.regions())
        ? nowMs + COPIED_MS
        : nowMs;
    this.#state = newEvacuation(start.roomsPerS, nowMs);
  }

  get isOver(): boolean {
    return isOver(this.#state);
  }

  get status(): EvacuationStatus {
    const state = this.#state;
    const { regionId, nodeId, by } = this.#start;
    const { phase, roomsPerS, moved, players, gone, lost } = state;
    return {
      regionId,
      nodeId: nodeId ?? null,
      phase,
      by,
      startedAtMs: this.#startedAtMs,
      endedAtMs: this.#endedAtMs,
      roomsPerS,
      moved,
      players,
      moving: state.moving.size + state.arrivingRooms,
      left: state.waiting.length,
      gone,
      failed: state.failed.size,
      lost,
      errors: [...state.errors],
    };
  }

  drains(nodeId: NodeId): boolean {
    return this.#start.nodeId === nodeId && this.#state.phase !== "stopped";
  }

  tick(): void {
    if (this.#deps.clock.monotonicMs() < this.#notBeforeMs) return;
    if (!this.isOver) this.#dispatch({ type: "tick" });
  }

  order(order: EvacuationOrder): void {
    this.#dispatch({ type: "order", phase: PHASES[order] });
  }

  /** When no call of it is under way. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
  }

  #dispatch(event: EvacuationEvent): void {
    const before = this.#state;
    const [state, effects] = evacuationStep(before, event, this.#deps.clock.monotonicMs());
    this.#state = state;
    for (const effect of effects) this.#carryOut(effect);
    this.#count(before, state);
    if (this.#endedAtMs === null && isOver(state)) this.#end();
  }

  #carryOut(effect: EvacuationEffect): void {
    const work = this.#effect(effect).catch((err: unknown) => {
      const { log } = this.#deps;
      log.error({ err, effect: effect.type, runbook: "evacuate" }, "an evacuation can't go on");
    });
    this.#underWay.add(work);
    void work.finally(() => this.#underWay.delete(work));
  }

  #effect(effect: EvacuationEffect): Promise<void> {
    switch (effect.type) {
      case "list":
        return this.#list();
      case "move":
        return this.#move(effect.nodeId, effect.roomIds);
      case "settle":
        return this.#settle(effect.nodeId, effect.roomIds);
      case "takeOver":
        return this.#takeOver(effect.to, effect.rooms);
      case "goOn":
        return this.#goOn(effect.rooms);
      case "lost":
        this.#tellLost(effect);
        return Promise.resolve();
    }
  }

  async #list(): Promise<void> {
    const { database, clock } = this.#deps;
    try {
      const rows = await selectOpenRooms(database, this.#start, LISTED_MAX);
      const rooms = rows.map((row) => ({ roomId: row.room_id, nodeId: row.node_id }));
      this.#dispatch({ type: "listed", rooms });
    } catch (error) {
      if (!isFailure(error)) throw error;
      await sleep(clock, PAUSE_MS);
      this.#dispatch({ type: "listFailed" });
    }
  }

  async #move(nodeId: NodeId, roomIds: readonly RoomId[]): Promise<void> {
    try {
      const { going, held, unknown } = await this.#seated(nodeId, roomIds);
      const answer =
        going.length > 0
          ? await this.#deps.calls.moveRooms(this.#node(nodeId), { roomIds: going })
          : { moved: [], stayed: [] };
      const named = new Set([...answer.moved, ...answer.stayed].map(({ roomId }) => roomId));
      const unnamed = going.filter((roomId) => !named.has(roomId));
      this.#dispatch({
        type: "left",
        moved: answer.moved.map(({ roomId, roomEpoch, to }) => {
          return { copy: { roomId, ofNode: nodeId, roomEpoch }, to };
        }),
        stayed: [
          ...answer.stayed.map((room) => ({ ...room, nodeId })),
          ...unnamed.map((roomId) => ({ roomId, nodeId, why: "its owner does not name it" })),
          ...unknown.map((roomId) => ({ roomId, nodeId, why: "its standby did not answer" })),
        ],
        held: held.map((roomId) => ({ roomId, nodeId, why: "its standby has no seats for it" })),
        gone: [],
      });
    } catch (error) {
      if (!isFailure(error)) throw error;
      this.#dispatch({ type: "unsure", nodeId, roomIds });
    }
  }

  /**
   * Which rooms have seats where their copies are, which are promised to them. Of a room without a copy, when all
   * have answered, its owner says so.
   */
  async #seated(nodeId: NodeId, roomIds: readonly RoomId[]) {
    const { database, registry, calls, promised } = this.#deps;
    const rooms = await selectStandings(database, roomIds, this.#releasedAfter());
    const { copies, silent } = await findCopies([nodeId], rooms, this.#holders(nodeId), calls);
    const nodes = { regions: () => registry.regions(), isLost: () => false };
    const left = new Map(seatsLeft(nodes, (id) => promised.at(id)));
    const going: RoomId[] = [];
    const held: RoomId[] = [];
    const unknown: RoomId[] = [];
    for (const roomId of roomIds) {
      const copy = copies.get(roomId);
      const seats = copy && (left.get(copy.at) ?? 0);
      if (!copy || seats === undefined) (silent.length > 0 ? unknown : going).push(roomId);
      else if (seats < copy.players) held.push(roomId);
      else {
        left.set(copy.at, seats - copy.players);
        promised.add(copy.at, copy.players);
        going.push(roomId);
      }
    }
    return { going, held, unknown };
  }

  #holders(ofNode: NodeId): NodeRecord[] {
    const nodes = this.#deps.registry.regions().flatMap(liveNodes);
    return nodes.filter(
      ({ nodeId, heartbeat }) => nodeId !== ofNode && heartbeat.replication !== undefined,
    );
  }

  #releasedAfter(): Date {
    return new Date(this.#deps.clock.nowMs() - RELEASED_ROOM_MS);
  }

  /** Where the rooms are whose owner did not answer: with it still, given up, with another by now, or ended. */
  async #settle(nodeId: NodeId, roomIds: readonly RoomId[]): Promise<void> {
    const { database, calls, clock } = this.#deps;
    await sleep(clock, PAUSE_MS);
    try {
      const standings = await selectStandings(database, roomIds, this.#releasedAfter());
      const released = standings.filter((room) => !room.open && room.released);
      const holders = released.length === 0 ? [] : this.#holders(nodeId);
      const { copies, silent } = await findCopies([nodeId], released, holders, calls);
      const moved = released.flatMap(({ room_id }) => {
        const copy = copies.get(room_id);
        if (!copy) return [];
        const { roomId, ofNode, roomEpoch, at } = copy;
        return [{ copy: { roomId, ofNode, roomEpoch }, to: at }];
      });
      const onTheWay = new Set(moved.map(({ copy }) => copy.roomId));
      const here = standings.filter((room) => room.open && room.node_id === nodeId);
      const why = "its owner did not answer";
      const stayed = here.map(({ room_id }) => ({ roomId: room_id, nodeId, why }));
      const there = new Set(stayed.map(({ roomId }) => roomId));
      // Whoever has not answered may have their copies.
      const missing = silent.length === 0 ? [] : released.map(({ room_id }) => room_id);
      const unsure = missing.filter((roomId) => !onTheWay.has(roomId));
      const known = new Set([...onTheWay, ...there, ...unsure]);
      const gone = roomIds.filter((roomId) => !known.has(roomId));
      const left = { type: "left", moved, stayed, gone } as const;
      this.#dispatch(unsure.length > 0 ? { ...left, unsure: { nodeId, roomIds: unsure } } : left);
    } catch (error) {
      if (!isFailure(error)) throw error;
      this.#dispatch({ type: "unsure", nodeId, roomIds });
    }
  }

  async #takeOver(to: NodeId, rooms: readonly Arriving[]): Promise<void> {
    const copies = rooms.map(({ copy }) => copy);
    try {
      const { taken, failed } = await this.#deps.calls.takeOver(this.#node(to), { rooms: copies });
      const there = new Set(taken.map(({ roomId }) => roomId));
      const whys = new Map(failed.map(({ roomId, why }) => [roomId, why]));
      this.#dispatch({
        type: "arrived",
        taken: there.size,
        players: taken.reduce((sum, { players }) => sum + players, 0),
        failed: rooms
          .filter(({ copy }) => !there.has(copy.roomId))
          .map((room) => ({ ...room, why: whys.get(room.copy.roomId) ?? "it is not named" })),
      });
    } catch (error) {
      if (!isFailure(error)) throw error;
      const failed = rooms.map((room) => ({ ...room, why: `${to}: ${error.kind}` }));
      this.#dispatch({ type: "arrived", taken: 0, players: 0, failed });
    }
  }

  /** The database says who has them in the end, also of claims that came before others were asked. */
  async #goOn(rooms: readonly Arriving[]): Promise<void> {
    const { database, goOn } = this.#deps;
    const owners = [...new Set(rooms.map(({ copy }) => copy.ofNode))];
    const moved = await Promise.all(
      owners.map((owner) => {
        const own = rooms.filter(({ copy }) => copy.ofNode === owner);
        const copies = own.map(({ copy }) => copy);
        return goOn(owner, copies, GO_ON_MS);
      }),
    );
    const roomIds = rooms.map(({ copy }) => copy.roomId);
    const found = await selectStandings(database, roomIds, this.#releasedAfter()).catch(
      (error: unknown) => {
        if (!isFailure(error)) throw error;
        return [];
      },
    );
    const there = new Set(found.filter(({ open }) => open).map(({ room_id }) => room_id));
    const failed = rooms.filter(({ copy }) => !there.has(copy.roomId));
    this.#dispatch({
      type: "arrived",
      taken: rooms.length - failed.length,
      players: moved.reduce((sum, { players }) => sum + players, 0),
      failed: failed.map((room) => ({ ...room, why: "nobody could go on with it" })),
    });
  }

  /** @throws {MeridianError} `unavailable` */
  #node(nodeId: NodeId): NodeRecord {
    const node = this.#deps.registry.node(nodeId)?.node;
    if (node?.alive) return node;
    throw new MeridianError("unavailable", { message: `${nodeId} is down.` });
  }

  #tellLost({ roomId, to, why }: Extract<EvacuationEffect, { type: "lost" }>): void {
    const about = { roomId, to, why, runbook: "evacuate" };
    this.#deps.log.error(about, "a room that was evacuated could not go on anywhere");
  }

  #count(before: Evacuation, after: Evacuation): void {
    const { rooms } = this.#deps;
    rooms.inc({ outcome: "moved" }, after.moved - before.moved);
    rooms.inc({ outcome: "lost" }, after.lost - before.lost);
    rooms.inc({ outcome: "failed" }, Math.max(0, after.failed.size - before.failed.size));
  }

  #end(): void {
    this.#endedAtMs = this.#deps.clock.nowMs();
    const { status } = this;
    const { regionId, nodeId, phase, moved, players, left, failed, lost } = status;
    const counts = { regionId, nodeId, phase, moved, players, left, failed, lost };
    this.#deps.log.info({ ...counts, runbook: "evacuate" }, "an evacuation is over");
    const told = this.#start.onOver(status);
    this.#underWay.add(told);
    void told.finally(() => this.#underWay.delete(told));
  }
}
