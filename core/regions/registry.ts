/**
 * The registry of regions: runs the pure step on every heartbeat and on a timer, and carries out what
 * it says. Epochs and wanted states live in PostgreSQL and are cached here: a heartbeat needs the
 * database only when a region registers for the first time ever.
 */
import type { Logger } from "pino";
import type { Cancel, Clock } from "../../shared/clock.ts";
import { compareEpochs, EPOCH_NONE, type Epoch } from "../../shared/epoch.ts";
import { isFailure, MeridianError } from "../../shared/errors.ts";
import { type NodeId, RegionId, type RoomId } from "../../shared/ids.ts";
import type { Part } from "../../shared/lifecycle.ts";
import type { Metrics } from "../../shared/metrics.ts";
import {
  type ClaimAnswer,
  type ClaimRequest,
  HEARTBEAT_PERIOD_MS,
  type Heartbeat,
  type ReaffirmRoomsRequest,
  type ReleaseRoomsRequest,
} from "../../shared/protocol/link.ts";
import type { SeatLimits } from "../capacity/seat-limits.ts";
import type { Database } from "../db/database.ts";
import { type Recording, unrecorded } from "../db/recording.ts";
import type { NodeHealth } from "../failover/detector-step.ts";
import { type FencedNode, fenceNode } from "../failover/fence-node.ts";
import type { Because } from "../failover/fence-store.ts";
import { FencedNodes } from "../failover/fenced-nodes.ts";
import { answerClaim, requireUnfenced } from "./claims.ts";
import type { EndedRooms } from "./ended-rooms.ts";
import { type Fenced, fenceRegion, unfenceRegion } from "./fence.ts";
import type { RegionLife, Wanted } from "./fence-step.ts";
import { OwnGrace } from "./own-grace.ts";
import * as store from "./region-store.ts";
import { RegistryMetrics } from "./registry-metrics.ts";
import {
  initialRegistry,
  type NodeRecord,
  partsOf,
  type RegionRecord,
  type RegistryEffect,
  type RegistryEvent,
  type RegistryState,
  registryStep,
} from "./registry-step.ts";
import type { RegionSpec, Topology } from "./topology.ts";

const TICK_MS = 250;

export interface RegistryDeps {
  readonly topology: Topology;
  readonly database: Database;
  readonly endedRooms: EndedRooms;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Told of a link address where nobody is any more. */
  readonly onGone: (linkAddress: string) => void;
  /** A node was heard of which it is in doubt that it lives. */
  readonly onDoubtfulHeard: () => void;
  /** Told of a node that has a later life at its address. */
  readonly onReplaced: (nodeId: NodeId) => void;
  /** Told of a room that has an owner from now on. */
  readonly onClaimed: (roomId: RoomId) => void;
}

export class Registry implements Part {
  readonly name = "registry";
  readonly fenced = new FencedNodes();
  readonly #deps: RegistryDeps;
  readonly #metrics: RegistryMetrics;
  readonly #granting = new Map<RegionId, Promise<Epoch>>();
  /** Operators' and the topology's changes, one after the other: what is held is what was written last. */
  #changing: Promise<unknown> = Promise.resolve();
  #state: RegistryState;
  #limits: ReadonlyMap<RegionId, SeatLimits> = new Map();
  #coreTerm = 0;
  #cancel: Cancel = () => {};

  constructor(deps: RegistryDeps) {
    this.#deps = deps;
    this.#state = initialRegistry(deps.topology.regions, deps.clock.monotonicMs());
    this.#metrics = new RegistryMetrics(deps.metrics, () => this.regions());
  }

  async start(): Promise<void> {
    const { database, clock, log, metrics } = this.#deps;
    // Anew: how long nodes may stay unheard counts from now, however long the start has waited.
    const specs = this.regions().map(({ spec }) => spec);
    this.#state = initialRegistry(specs, clock.monotonicMs());
    this.#coreTerm = await store.selectCoreTerm(database);
    await this.fenced.load(database);
    for (const row of await store.selectRegions(database)) {
      const regionId = row.region_id;
      this.#dispatch({ type: "wanted", regionId, wanted: row.wanted });
      this.#dispatch({ type: "epoch", regionId, epoch: store.epochOf(row) });
    }
    const grace = new OwnGrace({ log, metrics }, clock.monotonicMs());
    this.#cancel = clock.every(TICK_MS, () => {
      if (grace.isOver(clock.monotonicMs())) this.#dispatch({ type: "tick" });
    });
  }

  stop(): void {
    this.#cancel();
  }

  get coreTerm(): number {
    return this.#coreTerm;
  }

  /** All regions; another object whenever anything of them has changed. */
  get state(): RegistryState {
    return this.#state;
  }

  regions(): RegionRecord[] {
    return [...this.#state.values()];
  }

  region(regionId: RegionId): RegionRecord | undefined {
    return this.#state.get(regionId);
  }

  /** A node that is known, alive or not. */
  node(nodeId: NodeId): { region: RegionRecord; node: NodeRecord } | undefined {
    for (const region of this.#state.values()) {
      const node = region.nodes.get(nodeId);
      if (node) return { region, node };
    }
    return undefined;
  }

  /**
   * Takes in a heartbeat from the region whose certificate came with it.
   * @returns the region's record after it
   * @throws {MeridianError} when it is refused
   */
  async heartbeat(from: RegionId, heartbeat: Heartbeat): Promise<RegionRecord> {
    if (partsOf(heartbeat.nodeId).region === from) this.fenced.requireHeartbeat(heartbeat.nodeId);
    const effects = this.#dispatch({ type: "heartbeat", from, heartbeat });
    const refusal = effects.find((effect) => effect.type === "refuse");
    this.#metrics.heartbeat(refusal ? refusal.kind : "accepted");
    if (refusal) throw new MeridianError(refusal.kind, { message: refusal.message });
    const { health } = this.#require(from).nodes.get(heartbeat.nodeId) ?? {};
    if (health !== "healthy") this.#deps.onDoubtfulHeard();
    if (compareEpochs(this.#require(from).epoch, EPOCH_NONE) === 0) await this.#grantEpoch(from);
    return this.#require(from);
  }

  /**
   * Grants a node the room it has made. Idempotent by claim id.
   * @throws {MeridianError} `forbidden`; `unavailable` from a node that is not known yet; `conflict`
   *   for a claim id that was used otherwise; `fenced` when the room has another owner, or ended
   *   under this claim
   */
  async claim(from: RegionId, claim: ClaimRequest): Promise<ClaimAnswer> {
    this.requireCurrent(from, claim.nodeId);
    const { database, clock, onClaimed } = this.#deps;
    const now = new Date(clock.nowMs());
    const ours = { ...claim, regionId: from };
    const answer = await database.transaction((tx) => answerClaim(tx, ours, this.#coreTerm, now));
    onClaimed(claim.roomId);
    return answer;
  }

  /**
   * Takes a node's word for its rooms, whose grants this core may have lost.
   * @returns those that are the node's now
   * @throws {MeridianError} `forbidden`; `unavailable` from a node that is not known yet
   */
  async reaffirm(from: RegionId, { nodeId, rooms }: ReaffirmRoomsRequest): Promise<RoomId[]> {
    this.requireCurrent(from, nodeId);
    const { database, clock } = this.#deps;
    const at = new Date(clock.nowMs());
    return await database.transaction(async (tx) => {
      await store.shareRegion(tx, from);
      await requireUnfenced(tx, nodeId);
      await store.reaffirmRooms(tx, { regionId: from, nodeId }, rooms, at);
      return await store.selectHeld(tx, nodeId, rooms);
    });
  }

  /**
   * Takes rooms from a node that gives them up for its next life, or for another, to claim.
   * @returns how many it held
   * @throws {MeridianError} `forbidden`; `unavailable` from a node that is not known yet
   */
  async release(from: RegionId, { nodeId, roomIds }: ReleaseRoomsRequest): Promise<number> {
    this.requireCurrent(from, nodeId);
    const { database, clock, log } = this.#deps;
    const releasedAt = new Date(clock.nowMs());
    const count = await store.releaseRooms(database, { nodeId, roomIds }, releasedAt);
    log.info({ nodeId, rooms: count }, "a node released its rooms for their next owner");
    return count;
  }

  /**
   * Keeps what an operator wants of a region, over restarts too; it shows in the ranking at once.
   * @throws {MeridianError} `unknown_region`; `conflict` while the region is fenced
   */
  setWanted(
    regionId: RegionId,
    wanted: Exclude<Wanted, "fenced">,
    record: Recording = unrecorded,
  ): Promise<RegionRecord> {
    return this.#change(regionId, async () => {
      await this.#deps.database.transaction(async (tx) => {
        if (!(await store.setWanted(tx, regionId, wanted))) throw isFenced(regionId);
        await record(tx);
      });
      this.#dispatch({ type: "wanted", regionId, wanted });
      return this.#require(regionId);
    });
  }

  /** Ends the region's life and its rooms. @throws {MeridianError} `unknown_region` */
  fence(regionId: RegionId, record: Recording = unrecorded): Promise<Fenced> {
    const { database, clock, log } = this.#deps;
    return this.#change(regionId, async () => {
      const at = new Date(clock.nowMs());
      const coreTerm = this.#coreTerm;
      const outcome = await database.transaction(async (tx) => {
        const fenced = await fenceRegion(tx, regionId, { coreTerm, at });
        await record(tx);
        return fenced;
      });
      const { life, changed, rooms } = outcome;
      this.#applyLife(regionId, life);
      if (!changed) return outcome;
      this.#metrics.fence(regionId, "fenced");
      const { epoch } = life;
      log.warn({ regionId, epoch, rooms, runbook: "core-region-fenced" }, "a region was fenced");
      return outcome;
    });
  }

  /**
   * Ends a node's life: its rooms are free for their next owners, and nothing that it asks for counts. Until that
   * is committed it hears nothing; a failure of the world leaves it so, to be tried again.
   */
  fenceNode(nodeId: NodeId, because: Because): Promise<FencedNode> {
    const { database, clock } = this.#deps;
    const regionId = RegionId.parse(partsOf(nodeId).region);
    this.fenced.begin(nodeId, because);
    return this.#inTurn(async () => {
      const last = this.#isLast(nodeId, regionId);
      const fence = { nodeId, regionId, because, last, coreTerm: this.#coreTerm };
      try {
        const at = new Date(clock.nowMs());
        const outcome = await database.transaction((tx) => fenceNode(tx, { ...fence, at }));
        this.fenced.done(nodeId);
        this.#dispatch({ type: "epoch", regionId, epoch: outcome.regionEpoch });
        this.setHealth(nodeId, "down");
        return outcome;
      } catch (error) {
        if (!isFailure(error)) this.fenced.abandon(nodeId);
        throw error;
      }
    });
  }

  /** What the detector makes of a node. */
  setHealth(nodeId: NodeId, health: NodeHealth): void {
    const region = this.node(nodeId)?.region;
    if (region) this.#dispatch({ type: "health", regionId: region.spec.id, nodeId, health });
  }

  /** Whether no other node of the region can be left: of a region that was just begun nobody knows. */
  #isLast(nodeId: NodeId, regionId: RegionId): boolean {
    const region = this.#state.get(regionId);
    if (!region || region.unheardUntilMs !== undefined) return false;
    const others = [...region.nodes.keys()].filter((id) => id !== nodeId);
    return others.every((id) => this.fenced.has(id));
  }

  /** Lets a fenced region take new rooms. @throws {MeridianError} `unknown_region` */
  unfence(regionId: RegionId, record: Recording = unrecorded): Promise<RegionLife> {
    const { database, log } = this.#deps;
    return this.#change(regionId, async () => {
      const life = await database.transaction(async (tx) => {
        const unfenced = await unfenceRegion(tx, regionId);
        await record(tx);
        return unfenced;
      });
      this.#applyLife(regionId, life);
      this.#metrics.fence(regionId, "unfenced");
      log.info({ regionId, epoch: life.epoch }, "a region is fenced no longer");
      return life;
    });
  }

  /**
   * Knows these regions from now on, and no others.
   * @throws {MeridianError} `conflict`: a region that is to go has live nodes; `unavailable`: the database
   *   can't say what lives new ones have. Nothing has changed then
   */
  followTopology(specs: readonly RegionSpec[]): Promise<void> {
    return this.#inTurn(async () => {
      const anew = specs.some(({ id }) => !this.#state.has(id));
      const rows = anew ? await store.selectRegions(this.#deps.database) : [];
      const lives = new Map(rows.map((row) => [row.region_id, store.lifeOf(row)]));
      const [refusal] = this.#dispatch({ type: "topology", specs, lives });
      if (refusal?.type !== "refuse") {
        // For regions that are new.
        this.setLimits(this.#limits);
        return;
      }
      throw new MeridianError(refusal.kind, { message: refusal.message });
    });
  }

  /** All that were measured; they show in the ranking and in admission at once. */
  setLimits(limits: ReadonlyMap<RegionId, SeatLimits>): void {
    this.#limits = limits;
    this.#dispatch({ type: "limits", limits });
  }

  /** Counts a seat that a node granted, until its next heartbeat does. */
  noteSeat(regionId: RegionId, nodeId: NodeId, grant: number | undefined): void {
    this.#dispatch({ type: "seatGranted", regionId, nodeId, grant });
  }

  #applyLife(regionId: RegionId, { epoch, wanted }: RegionLife): void {
    this.#dispatch({ type: "epoch", regionId, epoch });
    this.#dispatch({ type: "wanted", regionId, wanted });
  }

  #change<T>(regionId: RegionId, work: () => Promise<T>): Promise<T> {
    return this.#inTurn(() => {
      this.#require(regionId);
      return work();
    });
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const change = this.#changing.then(work);
    // Its caller hears of a failure; the next change is made all the same.
    this.#changing = change.catch(() => undefined);
    return await change;
  }

  #dispatch(event: RegistryEvent): readonly RegistryEffect[] {
    const [state, effects] = registryStep(this.#state, event, this.#deps.clock.monotonicMs());
    this.#state = state;
    for (const effect of effects) this.#carryOut(effect);
    return effects;
  }

  #carryOut(effect: RegistryEffect): void {
    const { log, endedRooms, onGone, onReplaced } = this.#deps;
    if (effect.type === "refuse") return;
    if (effect.type === "roomsEnded") {
      endedRooms.add(effect.nodeId, effect.roomIds);
      return;
    }
    if (effect.type === "sessionsLeft") {
      endedRooms.addLeft(effect.left);
      return;
    }
    if (effect.type === "nodesKnown") {
      endedRooms.addOrphans(effect.regionId, effect.nodeIds);
      return;
    }
    const { node } = effect;
    const about = { nodeId: node.nodeId, linkAddress: node.heartbeat.linkAddress };
    this.#metrics.change(effect.type);
    if (effect.type === "nodeUp") {
      log.info({ ...about, build: node.heartbeat.build }, "a node is up");
    } else if (effect.type === "nodeDown") {
      const players = node.heartbeat.connected;
      if (wasEmptied(node)) log.info(about, "a node that was emptied has ended");
      else log.error({ ...about, players, runbook: "core-node-down" }, "a node is down");
    } else if (effect.type === "nodeReplaced") {
      log.warn({ ...about, by: effect.by }, "a node was replaced by its next life");
      onReplaced(node.nodeId);
    } else {
      log.info(about, "a node that is down is forgotten");
      onGone(node.heartbeat.linkAddress);
    }
  }

  /** One grant at a time for a region; every heartbeat that needs it waits for the same one. */
  #grantEpoch(regionId: RegionId): Promise<Epoch> {
    const under = this.#granting.get(regionId);
    if (under) return under;
    const granting = this.#grantInDatabase(regionId).finally(() => {
      this.#granting.delete(regionId);
    });
    this.#granting.set(regionId, granting);
    return granting;
  }

  async #grantInDatabase(regionId: RegionId): Promise<Epoch> {
    const { database, log } = this.#deps;
    await store.grantFirstEpoch(database, regionId, this.#coreTerm);
    const row = await store.selectRegion(database, regionId);
    if (!row) throw new MeridianError("unavailable", { message: "The region's row is gone." });
    const epoch = store.epochOf(row);
    this.#dispatch({ type: "epoch", regionId, epoch });
    log.info({ regionId, epoch }, "a region registered");
    return epoch;
  }

  #require(regionId: RegionId): RegionRecord {
    const region = this.#state.get(regionId);
    if (!region) throw new MeridianError("unknown_region");
    return region;
  }

  /**
   * What a node asks for counts only when heartbeats have made it known; an older life never is.
   * @throws {MeridianError} `forbidden`; `fenced`; `unavailable` from a node that is not known yet
   */
  requireCurrent(from: RegionId, nodeId: NodeId): void {
    const region = this.#require(from);
    if (partsOf(nodeId).region !== from) {
      throw new MeridianError("forbidden", { message: `This certificate is of "${from}".` });
    }
    this.fenced.requireCall(nodeId);
    if (!region.nodes.has(nodeId)) {
      // Perhaps this core has just started: the next heartbeat settles who is who.
      throw new MeridianError("unavailable", {
        message: "No heartbeat of this node is known yet.",
        retryAfterMs: HEARTBEAT_PERIOD_MS,
      });
    }
  }
}

/** Whether its end was no loss: it took nobody any more, and nobody was left. */
function wasEmptied({ heartbeat }: NodeRecord): boolean {
  const { state, connected, reserved, rooms } = heartbeat;
  return state === "draining" && connected + reserved + rooms === 0;
}

function isFenced(regionId: RegionId): MeridianError {
  return new MeridianError("conflict", { message: `${regionId} is fenced: unfence it first.` });
}
