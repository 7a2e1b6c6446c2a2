/**
 * Evacuations: an operator has the live rooms of a region, or of one node of it, move to their standbys.
 *
 * The region drains first, so that nothing new comes. Then its rooms move in small batches at the pace that was
 * asked for: `/link/move-rooms` at the owner, `/link/take-over` at the standby that its answer names
 * (`evacuation-step.ts` says which and when). An evacuation can be paused, resumed and stopped; what is between two
 * nodes then still arrives.
 *
 * It is in this core's memory alone. After a restart the region is drained still (a node that was evacuated alone is
 * not), the rooms that wait run on, and the rest moves when the evacuation is begun anew.
 */
import type { Logger } from "pino";
import { type Cancel, type Clock, sleep } from "../../shared/clock.ts";
import { isFailure, MeridianError } from "../../shared/errors.ts";
import type { NodeId, RegionId } from "../../shared/ids.ts";
import type { Part } from "../../shared/lifecycle.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import type {
  EvacuationOrder,
  EvacuationPlan,
  EvacuationStatus,
  EvacuationTarget,
} from "../../shared/protocol/ops-failover.ts";
import type { Database } from "../db/database.ts";
import type { Recording } from "../db/recording.ts";
import type { NodeCalls } from "../regions/node-calls.ts";
import { liveNodes } from "../regions/region-view.ts";
import type { Registry } from "../regions/registry.ts";
import type { NodeRecord, RegionRecord } from "../regions/registry-step.ts";
import { findCopies } from "./evacuation-copies.ts";
import { EvacuationRun, type EvacuationStart, type GoOn } from "./evacuation-run.ts";
import { selectOpenRooms } from "./evacuation-store.ts";
import type { PromisedSeats } from "./promised-seats.ts";

const TICK_MS = 100;
/** Nodes answer within it, or don't. */
const DRAIN_MS = 4_000;
/** Of a plan; more are counted as so many. */
const PLANNED_MAX = 10_000;

export interface EvacuationsDeps {
  readonly database: Database;
  readonly registry: Pick<Registry, "region" | "regions" | "node" | "setWanted">;
  readonly calls: Pick<NodeCalls, "moveRooms" | "takeOver" | "copies" | "drain">;
  /** Also those of failovers. */
  readonly promised: PromisedSeats;
  /** `Failovers.goOn` */
  readonly goOn: GoOn;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class Evacuations implements Part {
  readonly name = "evacuations";
  readonly #deps: EvacuationsDeps;
  readonly #rooms: Counter<"outcome">;
  /** The last one of each region. */
  readonly #runs = new Map<RegionId, EvacuationRun>();
  #cancel: Cancel = () => {};

  constructor(deps: EvacuationsDeps) {
    this.#deps = deps;
    this.#rooms = new Counter({
      name: "meridian_evacuated_rooms_total",
      help: "Rooms of evacuations: moved; failed: run on at their owner; lost: could not go on elsewhere.",
      labelNames: ["outcome"],
      registers: [deps.metrics],
    });
  }

  start(): void {
    this.#cancel = this.#deps.clock.every(TICK_MS, () => {
      for (const run of this.#runs.values()) run.tick();
    });
  }

  /** What is between two nodes still arrives, if that does not take long. */
  async drain(): Promise<void> {
    for (const run of this.#runs.values()) run.order("stop");
    const arrived = new AbortController();
    const idle = Promise.all([...this.#runs.values()].map((run) => run.idle()));
    void idle.then(() => arrived.abort());
    await sleep(this.#deps.clock, DRAIN_MS, arrived.signal);
  }

  stop(): void {
    this.#cancel();
  }

  /** Whether an operator has this very node emptied; until that evacuation is stopped. */
  drains(nodeId: NodeId): boolean {
    return [...this.#runs.values()].some((run) => run.drains(nodeId));
  }

  list(): EvacuationStatus[] {
    return [...this.#runs.values()].map((run) => run.status);
  }

  /** @throws {MeridianError} `not_found` */
  async plan(target: EvacuationTarget): Promise<EvacuationPlan> {
    const { database, registry, calls } = this.#deps;
    const owners = ownersOf(this.#require(target), target);
    const ofNodes = owners.map(({ nodeId }) => nodeId);
    const holders = registry
      .regions()
      .flatMap(liveNodes)
      .filter((node) => !ofNodes.includes(node.nodeId) && node.heartbeat.replication !== undefined);
    const rooms = await selectOpenRooms(database, target, PLANNED_MAX);
    const found = await findCopies(ofNodes, rooms, holders, calls);
    const copied = rooms.flatMap(({ room_id }) => found.copies.get(room_id) ?? []);
    const targets = new Map<NodeId, number>();
    for (const { at } of copied) targets.set(at, (targets.get(at) ?? 0) + 1);
    const sum = (of: (node: NodeRecord) => number) =>
      owners.reduce((total, node) => total + of(node), 0);
    return {
      regionId: target.regionId,
      nodeId: target.nodeId ?? null,
      rooms: copied.length,
      players: sum(({ heartbeat }) => heartbeat.connected),
      targets: [...targets].map(([nodeId, count]) => ({ nodeId, rooms: count })),
      withoutCopy: rooms.length - copied.length,
      unclaimed: Math.max(0, sum(({ heartbeat }) => heartbeat.rooms) - rooms.length),
      silent: [...found.silent],
    };
  }

  /**
   * Drains it, and begins.
   * @throws {MeridianError} `not_found`; `conflict` while another evacuation of the region is under way, or
   *   the region is fenced
   */
  async begin(start: EvacuationStart, record: Recording): Promise<EvacuationStatus> {
    const { regionId, nodeId } = start;
    this.#require(start);
    this.#requireNoOther(regionId);
    const { database, registry } = this.#deps;
    if (nodeId === undefined) await registry.setWanted(regionId, "draining", record);
    else await database.transaction(record);
    this.#requireNoOther(regionId);
    const run = new EvacuationRun(start, { ...this.#deps, rooms: this.#rooms });
    this.#runs.set(regionId, run);
    await this.#tell(start);
    return run.status;
  }

  /** @throws {MeridianError} `not_found` when there is none; `conflict` when it is over */
  order(regionId: RegionId, order: EvacuationOrder): EvacuationStatus {
    const run = this.#runs.get(regionId);
    if (!run) throw new MeridianError("not_found", { message: `${regionId} is not evacuated.` });
    const { phase } = run.status;
    if (phase === "done" || phase === "stopped") {
      throw new MeridianError("conflict", { message: `That evacuation is ${phase} already.` });
    }
    run.order(order);
    return run.status;
  }

  /** @throws {MeridianError} `conflict` while an evacuation of it is under way */
  requireNone(regionId: RegionId): void {
    this.#requireNoOther(regionId);
  }

  #requireNoOther(regionId: RegionId): void {
    const run = this.#runs.get(regionId);
    if (!run || run.isOver) return;
    const message = `An evacuation of ${regionId} is ${run.status.phase}: stop it first.`;
    throw new MeridianError("conflict", { message });
  }

  /** A node that can't be told learns it from its next heartbeat's answer. */
  async #tell(target: EvacuationTarget): Promise<void> {
    const region = this.#require(target);
    const told = ownersOf(region, target).map((node) =>
      this.#deps.calls.drain(node, { state: "draining" }).catch((error: unknown) => {
        if (!isFailure(error)) throw error;
      }),
    );
    await Promise.all(told);
  }

  #require({ regionId, nodeId }: EvacuationTarget): RegionRecord {
    const region = this.#deps.registry.region(regionId);
    if (!region) {
      throw new MeridianError("not_found", { message: `There is no region "${regionId}".` });
    }
    if (nodeId !== undefined && !region.nodes.get(nodeId)?.alive) {
      const message = `No node ${nodeId} of ${regionId} lives.`;
      throw new MeridianError("not_found", { message });
    }
    return region;
  }
}

function ownersOf(region: RegionRecord, { nodeId }: EvacuationTarget): NodeRecord[] {
  return liveNodes(region).filter((node) => nodeId === undefined || node.nodeId === nodeId);
}
