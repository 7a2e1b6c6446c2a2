/**
 * What follows when a node is lost: it is fenced, and its rooms go on elsewhere (`mover.ts`).
 *
 * The fence is tried until the database has it, for nothing may move before; meanwhile the node hears nothing
 * from this core, and players who ask for its rooms wait. What is fenced and not yet moved when a core ends is
 * found by the next one, by the time at which the rooms were released.
 */
import type { Logger } from "pino";
import { type Clock, sleep } from "../../shared/clock.ts";
import { isFailure, MeridianError } from "../../shared/errors.ts";
import type { NodeId, RegionId, RoomId } from "../../shared/ids.ts";
import type { Part } from "../../shared/lifecycle.ts";
import { RELEASED_ROOM_MS } from "../../shared/protocol/link.ts";
import type { FailoverPlan } from "../../shared/protocol/ops-failover.ts";
import type { Database } from "../db/database.ts";
import { LogPace } from "../http/log-pace.ts";
import type { NodeCalls } from "../regions/node-calls.ts";
import { liveNodes } from "../regions/region-view.ts";
import type { Registry } from "../regions/registry.ts";
import { assign, type RoomToAssign } from "./assign-step.ts";
import type { ByHand } from "./by-hand.ts";
import { findCopies, type Nodes, seatsLeft, together } from "./copies.ts";
import type { FailoverMetrics } from "./failover-metrics.ts";
import type { FencedNode } from "./fence-node.ts";
import {
  type Because,
  giveUpRooms,
  type LostRoom,
  selectOnTheirWay,
  selectOpenRooms,
} from "./fence-store.ts";
import { type Moved, Mover, type MoverDeps, PATIENCE_MS } from "./mover.ts";
import { PromisedSeats } from "./promised-seats.ts";

const FENCE_AGAIN_MS = 250;
const UNHEARD_POLL_MS = 250;
/** By then a node that lives is heard also when its way here goes through another region. */
const UNHEARD_MIN_MS = 5_000;
/** Silent for longer and neither gone nor isolated: nobody is there who could tell, and players wait in vain. */
const UNDECIDED_MAX_MS = 30_000;
/** By then a core that starts has heard all nodes that live, and found those that have rooms and don't. */
const UNHEARD_MAX_MS = 10_000;

export interface FailoversDeps {
  readonly registry: Registry;
  readonly database: Database;
  readonly calls: Pick<NodeCalls, "copies" | "takeOver" | "passCopies">;
  /** A node is fenced. */
  readonly onFenced: (nodeId: NodeId) => void;
  /** A room will not go on. */
  readonly onGivenUp: (roomIds: readonly RoomId[]) => void;
  /** A room has its next owner after a failover. */
  readonly onMoved: (roomId: RoomId) => void;
  /** A node that was called did not answer. */
  readonly onFailed: (nodeId: NodeId) => void;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: FailoverMetrics;
}

export class Failovers implements Part, ByHand {
  readonly name = "failovers";
  readonly #deps: FailoversDeps;
  readonly promised: PromisedSeats;
  readonly #stopping = new AbortController();
  readonly #movers = new Set<Mover>();
  readonly #underWay = new Map<NodeId, Promise<void>>();
  readonly #pace = new LogPace();
  #startedMs: number;

  constructor(deps: FailoversDeps) {
    this.#deps = deps;
    this.#startedMs = deps.clock.monotonicMs();
    this.promised = new PromisedSeats(deps.clock);
  }

  /** Goes on with what an earlier core began. */
  async start(): Promise<void> {
    const { database, clock, log } = this.#deps;
    this.#startedMs = clock.monotonicMs();
    const after = new Date(clock.nowMs() - RELEASED_ROOM_MS);
    for (const [nodeId, rooms] of await selectOnTheirWay(database, after)) {
      log.warn({ nodeId, rooms: rooms.length }, "a failover that was under way goes on");
      this.#track(nodeId, () => this.#move(nodeId, rooms, {}));
    }
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#underWay.values());
  }

  /** Nodes whose rooms are on their way. */
  get underWay(): number {
    return this.#underWay.size;
  }

  /** Whether it is in doubt that the node lives, and will be known in a moment: players wait for that. */
  isUndecided(nodeId: NodeId): boolean {
    const { registry, clock } = this.#deps;
    if (registry.fenced.has(nodeId)) return false;
    if (registry.fenced.isUnderWay(nodeId) || this.#underWay.has(nodeId)) return true;
    const nowMs = clock.monotonicMs();
    const node = registry.node(nodeId)?.node;
    if (!node) return nowMs - this.#startedMs < UNHEARD_MAX_MS;
    const doubted = node.health === "suspect" || node.health === "down";
    return doubted && nowMs - node.receivedMs < UNDECIDED_MAX_MS;
  }

  /** A node's life is over. Told again while it is under way it does nothing. */
  down(nodeId: NodeId, because: Because): void {
    if (this.#deps.registry.fenced.isLost(nodeId)) return;
    this.#track(nodeId, () => this.#failOver(nodeId, because));
  }

  /** A node has open rooms, and is not known. As long as no node is heard at all the core is the suspect. */
  unheard(nodeId: NodeId): void {
    const { registry, clock } = this.#deps;
    if (registry.fenced.isLost(nodeId)) return;
    this.#track(nodeId, async () => {
      const { signal } = this.#stopping;
      const notBeforeMs = this.#startedMs + UNHEARD_MIN_MS;
      const mayStillCome = () => clock.monotonicMs() < notBeforeMs || !this.#anyoneLives();
      while (mayStillCome() && !signal.aborted) await sleep(clock, UNHEARD_POLL_MS, signal);
      if (!signal.aborted && !registry.node(nodeId)) await this.#failOver(nodeId, "unheard");
    });
  }

  /**
   * Has rooms go on that a node gave up, and with which the standby that it gave them to could not go on.
   * @param patienceMs after which they are given up
   */
  goOn(nodeId: NodeId, rooms: readonly RoomToAssign[], patienceMs: number): Promise<Moved> {
    return this.#runMover(nodeId, rooms, patienceMs);
  }

  /** Told of every claim. */
  claimed(roomId: RoomId): void {
    for (const mover of this.#movers) {
      if (mover.claimed(roomId)) this.#deps.onMoved(roomId);
    }
  }

  async failover(
    target: { readonly regionId?: RegionId; readonly nodeId?: NodeId },
    { dryRun }: { readonly dryRun: boolean },
  ): Promise<FailoverPlan> {
    const nodes = this.#nodesOf(target);
    const plan = await this.#plan(nodes);
    if (dryRun) return plan;
    for (const nodeId of nodes) this.down(nodeId, "operator");
    await Promise.all(nodes.map((nodeId) => this.#underWay.get(nodeId)));
    return { ...plan, done: true };
  }

  #nodesOf({ regionId, nodeId }: { readonly regionId?: RegionId; readonly nodeId?: NodeId }) {
    const { registry } = this.#deps;
    if (nodeId !== undefined) {
      if (registry.node(nodeId)) return [nodeId];
      throw new MeridianError("not_found", { message: `No node ${nodeId} is known.` });
    }
    const region = regionId && registry.region(regionId);
    if (!region) throw new MeridianError("unknown_region");
    return [...region.nodes.keys()].filter((id) => !registry.fenced.has(id));
  }

  async #plan(nodeIds: readonly NodeId[]): Promise<FailoverPlan> {
    const { registry, database } = this.#deps;
    const going = new Set(nodeIds);
    const nodes: Nodes = { ...this.#nodes(), isLost: (id) => going.has(id) || this.#isLost(id) };
    const rooms = [...(await selectOpenRooms(database, nodeIds)).values()].flat();
    const found = await Promise.all(
      nodeIds.map((nodeId) => findCopies(nodeId, { ...this.#deps, ...nodes })),
    );
    const { placements } = assign({
      rooms,
      copies: found.flatMap(({ copies }) => copies),
      seats: seatsLeft(nodes, (id) => this.promised.at(id)),
      cannotRun: () => false,
      badCopy: () => false,
      together,
    });
    const targets = new Map<NodeId, number>();
    for (const { to } of placements) targets.set(to, (targets.get(to) ?? 0) + 1);
    const players = nodeIds.map((id) => registry.node(id)?.node.heartbeat.connected ?? 0);
    return {
      nodes: [...nodeIds],
      rooms: rooms.length,
      players: players.reduce((sum, one) => sum + one, 0),
      protectedRooms: placements.length,
      unprotectedRooms: rooms.length - placements.length,
      targets: [...targets].map(([nodeId, count]) => ({ nodeId, rooms: count })),
      done: false,
    };
  }

  /** One at a time for a node. A failure that nobody foresaw ends that failover, and no other. */
  #track(nodeId: NodeId, work: () => Promise<void>): void {
    if (this.#underWay.has(nodeId)) return;
    const running = work()
      .catch((err: unknown) => {
        this.#deps.log.error({ err, nodeId, runbook: "core-failover" }, "a failover failed");
      })
      .finally(() => this.#underWay.delete(nodeId));
    this.#underWay.set(nodeId, running);
  }

  async #failOver(nodeId: NodeId, because: Because): Promise<void> {
    const { clock, metrics, onFenced } = this.#deps;
    const startMs = clock.monotonicMs();
    const fenced = await this.#fence(nodeId, because);
    if (!fenced) return;
    const fencedMs = Math.round(clock.monotonicMs() - startMs);
    if (fenced.changed) metrics.fenced(because, fencedMs);
    onFenced(nodeId);
    const { regionEpoch, rooms } = fenced;
    await this.#move(nodeId, rooms, { because, regionEpoch, fencedMs });
  }

  /** Undefined when this core ends before the database has it. */
  async #fence(nodeId: NodeId, because: Because): Promise<FencedNode | undefined> {
    const { registry, clock, log } = this.#deps;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        return await registry.fenceNode(nodeId, because);
      } catch (err) {
        if (!isFailure(err)) throw err;
        const held = this.#pace.permit(clock.monotonicMs());
        if (held !== undefined) {
          log.error({ err, nodeId, held, runbook: "core-failover" }, "can't fence a node yet");
        }
        await sleep(clock, FENCE_AGAIN_MS, signal);
      }
    }
    return undefined;
  }

  async #move(nodeId: NodeId, rooms: readonly LostRoom[], about: object): Promise<void> {
    const { log, metrics } = this.#deps;
    if (rooms.length === 0) {
      log.info({ nodeId, ...about, rooms: 0 }, "a node was fenced, and had no rooms");
      return;
    }
    const moved = await this.#runMover(nodeId, rooms, PATIENCE_MS);
    metrics.moved(moved);
    log.warn(
      { nodeId, ...about, ...moved, runbook: "core-failover" },
      "a node is lost, and its rooms were moved",
    );
  }

  async #runMover(
    nodeId: NodeId,
    rooms: readonly RoomToAssign[],
    patienceMs: number,
  ): Promise<Moved> {
    const mover = new Mover(nodeId, rooms, { ...this.#moverDeps(), patienceMs });
    this.#movers.add(mover);
    try {
      return await mover.run();
    } finally {
      this.#movers.delete(mover);
    }
  }

  #moverDeps(): Omit<MoverDeps, "patienceMs"> {
    const { registry, database, calls, onFailed, onGivenUp, clock } = this.#deps;
    return {
      ...this.#nodes(),
      node: (nodeId) => registry.node(nodeId)?.node,
      heardAll: () => this.#heardAll(),
      calls,
      promised: this.promised,
      async giveUp(roomIds) {
        const given = await giveUpRooms(database, roomIds);
        onGivenUp(given);
        return given;
      },
      onFailed,
      clock,
      signal: this.#stopping.signal,
    };
  }

  #nodes(): Nodes {
    const { registry } = this.#deps;
    return { regions: () => registry.regions(), isLost: (nodeId) => this.#isLost(nodeId) };
  }

  #isLost(nodeId: NodeId): boolean {
    return this.#deps.registry.fenced.isLost(nodeId);
  }

  #heardAll(): boolean {
    return this.#deps.registry
      .regions()
      .every(({ unheardUntilMs }) => unheardUntilMs === undefined);
  }

  #anyoneLives(): boolean {
    return this.#deps.registry.regions().some((region) => liveNodes(region).length > 0);
  }
}
