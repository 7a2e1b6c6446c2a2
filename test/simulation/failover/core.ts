/**
 * The core: it hears heartbeats, lets the detector judge, looks and asks for it, fences, and remembers in its
 * database what has to outlive it. It may crash, come back under a later term, and stand still.
 */
import {
  type DetectorEffect,
  type DetectorEvent,
  type DetectorState,
  initialDetector,
  type NodeHealth,
  type WatchedNode,
} from "../../../core/failover/detector-step.ts";
import type { RegionLife } from "../../../core/regions/fence-step.ts";
import { EPOCH_NONE, type Epoch, nextEpoch } from "../../../shared/epoch.ts";
import type { NodeId, RegionId, RoomId } from "../../../shared/ids.ts";
import type { Saw } from "../../../shared/protocol/failover.ts";
import { CorePlayers } from "./core-players.ts";
import { CoreRooms } from "./core-rooms.ts";
import type { BeatAnswer } from "./node.ts";
import type { World } from "./world.ts";

const TICK_MS = 100;
const ASK_MS = 1_000;
const COMMIT_MS_MAX = 8;
const STANDBYS_MAX = 2;

export interface Beat {
  readonly nodeId: NodeId;
  readonly sequence: number;
  readonly servesIn: Epoch;
  readonly wallMs: number;
}

export interface Claim {
  readonly claimId: string;
  readonly roomId: RoomId;
  readonly nodeId: NodeId;
  readonly regionEpoch: Epoch;
  /** Of the owner whose state it is; none of a new room. */
  readonly formerEpoch: Epoch | undefined;
}

interface Heard {
  readonly heardMs: number;
  readonly sequence: number;
}

export class CoreModel {
  readonly world: World;
  term = 1;
  down = false;
  /** Another one after each crash: what was under way before is void. */
  life = 1;
  readonly rooms: CoreRooms;
  readonly players: CorePlayers;
  readonly regions = new Map<RegionId, RegionLife>();
  /** In the database. */
  readonly fenced = new Set<NodeId>();
  #heard = new Map<NodeId, Heard>();
  #health = new Map<NodeId, NodeHealth>();
  #detector: DetectorState;
  #startedMs: number;
  #pausedUntilMs = 0;
  #deferred: (() => void)[] = [];
  /** How often nodes of a region were asked about a node. */
  readonly #asked = new Map<string, number>();

  constructor(world: World, regionIds: readonly RegionId[]) {
    this.world = world;
    this.rooms = new CoreRooms(this);
    this.players = new CorePlayers(this);
    for (const id of regionIds) {
      this.regions.set(id, { epoch: nextEpoch(EPOCH_NONE, this.term), wanted: "active" });
    }
    this.#startedMs = world.schedule.nowMs;
    this.#detector = initialDetector(this.#startedMs);
    this.#tick();
  }

  /** Now, or when the core moves again; not when it is down. */
  run(work: () => void): void {
    if (this.down) return;
    if (this.isPaused) this.#deferred.push(work);
    else work();
  }

  get isPaused(): boolean {
    return this.world.schedule.nowMs < this.#pausedUntilMs;
  }

  /** Calls back after the commit, unless the core has died meanwhile. */
  committed(run: () => void): void {
    const { life } = this;
    this.world.schedule.after(this.world.chance.below(COMMIT_MS_MAX), () => {
      if (life === this.life) this.run(run);
    });
  }

  heartbeat(beat: Beat, reply: (answer: BeatAnswer) => void): void {
    const { rules } = this.world.parts;
    const { nodeId, sequence } = beat;
    const node = this.world.node(nodeId);
    if (this.fenced.has(nodeId) && rules.refusesFencedHeartbeats) {
      reply("stale");
      return;
    }
    const rivals = this.#known().filter((id) => {
      const other = this.world.node(id);
      return id !== nodeId && other.regionId === node.regionId && other.slot === node.slot;
    });
    // It comes late, from a life that another one has followed.
    if (rivals.some((id) => this.world.node(id).bornMs > node.bornMs)) return;
    this.world.truth.beatTaken(nodeId);
    const known = this.#heard.get(nodeId);
    const heardMs = rules.monotonicDetector ? this.world.schedule.nowMs : beat.wallMs;
    if (!known || sequence > known.sequence) this.#heard.set(nodeId, { heardMs, sequence });
    // Another life at its address: the former one is over.
    for (const former of rivals) this.fence(former, "replaced");
    const { epoch } = this.#lifeOf(node.regionId);
    const standbys = this.#standbysOf(nodeId);
    const wallMs = this.world.schedule.nowMs;
    reply({ regionEpoch: epoch, wanted: "active", standbys, wallMs });
  }

  /** What a node has seen of another one, unasked. */
  told(by: RegionId, about: NodeId, saw: Saw): void {
    this.step({ type: "saw", by, nodeId: about, saw });
  }

  healthOf(nodeId: NodeId): NodeHealth {
    return this.fenced.has(nodeId) ? "down" : (this.#health.get(nodeId) ?? "suspect");
  }

  /** Nodes that are heard and trusted, in order. */
  healthy(): NodeId[] {
    return [...this.#heard.keys()].filter((id) => this.healthOf(id) === "healthy");
  }

  /** No node is left that may live and was not heard: what nobody says it has nobody has. */
  everybodyHeard(): boolean {
    const { nowMs } = this.world.schedule;
    const settled = nowMs - this.#startedMs >= this.world.parts.thresholds.graceMs;
    return settled && this.#known().every((id) => this.healthOf(id) === "healthy");
  }

  #known(): NodeId[] {
    const known = new Set([...this.#heard.keys(), ...this.rooms.owners()]);
    return [...known].filter((id) => !this.fenced.has(id));
  }

  step(event: DetectorEvent): void {
    const { detectorStep, thresholds } = this.world.parts;
    const { nowMs } = this.world.schedule;
    const [state, effects] = detectorStep(this.#detector, event, nowMs, thresholds);
    this.#detector = state;
    for (const effect of effects) this.#carryOut(effect);
  }

  /** In one transaction; what nobody owns any more is given on from then on. */
  fence(nodeId: NodeId, because: "refused" | "silent" | "replaced"): void {
    if (this.fenced.has(nodeId)) return;
    const node = this.world.node(nodeId);
    this.world.say(() => `core fences ${nodeId}: ${because}`);
    this.world.truth.fenced(node, because);
    this.fenced.add(nodeId);
    this.rooms.release(nodeId);
    this.players.free(nodeId);
    const left = this.#known().some((id) => this.world.node(id).regionId === node.regionId);
    const life = this.#lifeOf(node.regionId);
    if (!left)
      this.regions.set(node.regionId, { ...life, epoch: nextEpoch(life.epoch, this.term) });
    this.step({ type: "fenced", nodeId });
    this.#heard.delete(nodeId);
  }

  #lifeOf(regionId: RegionId): RegionLife {
    const life = this.regions.get(regionId);
    if (!life) throw new Error(`no region ${regionId}`);
    return life;
  }

  crash(forMs: number, newTerm: boolean): void {
    if (this.down) return;
    this.world.say(() => "core crashes");
    this.down = true;
    this.life += 1;
    this.#deferred = [];
    this.#pausedUntilMs = 0;
    this.#heard = new Map();
    this.#health = new Map();
    this.rooms.forget();
    if (!this.world.parts.rules.fencesAreKept) this.fenced.clear();
    this.world.schedule.after(forMs, () => {
      this.down = false;
      if (newTerm) this.term += 1;
      this.world.say(() => `core serves, term ${this.term}`);
      const { nowMs } = this.world.schedule;
      this.#startedMs = nowMs;
      this.#detector = initialDetector(nowMs);
      this.#tick();
    });
  }

  pause(forMs: number): void {
    if (this.down || this.isPaused) return;
    this.world.say(() => `core stands still for ${forMs}`);
    this.#pausedUntilMs = this.world.schedule.nowMs + forMs;
    const { life } = this;
    this.world.schedule.after(forMs, () => {
      if (life !== this.life) return;
      // Timers come before what waits in the sockets.
      this.step({ type: "paused" });
      this.#watch();
      const deferred = this.#deferred;
      this.#deferred = [];
      for (const work of deferred) this.run(work);
    });
  }

  #tick(): void {
    const { life } = this;
    if (this.down || this.world.over) return;
    this.world.schedule.after(TICK_MS, () => {
      if (life === this.life) this.#tick();
    });
    if (this.isPaused) return;
    this.#watch();
    this.rooms.move();
  }

  #watch(): void {
    const nodes = this.#known().map((nodeId): WatchedNode => {
      const { regionId } = this.world.node(nodeId);
      const { heardMs = this.#startedMs } = this.#heard.get(nodeId) ?? {};
      return { nodeId, regionId, heardMs, relayed: false, leaving: false };
    });
    for (const { nodeId } of nodes) {
      if (!this.#health.has(nodeId) && this.#heard.has(nodeId)) this.#health.set(nodeId, "healthy");
    }
    this.step({ type: "tick", nodes });
  }

  #carryOut(effect: DetectorEffect): void {
    const { nodeId } = effect;
    const { life, world } = this;
    if (effect.type === "look") {
      world.links.look("core", nodeId, (saw) => {
        if (life === this.life) this.step({ type: "saw", by: "core", nodeId, saw });
      });
    } else if (effect.type === "ask") {
      for (const regionId of effect.regionIds) this.#ask(regionId, nodeId);
    } else if (effect.type === "health") {
      world.say(() => `core takes ${nodeId} for ${effect.health}`);
      this.#health.set(nodeId, effect.health);
    } else this.fence(nodeId, effect.because);
  }

  #ask(regionId: RegionId, about: NodeId): void {
    const { world, life } = this;
    const those = [...this.#heard.keys()].filter(
      (id) => id !== about && world.node(id).regionId === regionId,
    );
    if (those.length === 0) return;
    // Another one of them each time: nodes of one region may see different things.
    const turn = `${regionId} ${about}`;
    const asked = (this.#asked.get(turn) ?? 0) + 1;
    this.#asked.set(turn, asked);
    const witness = those[asked % those.length] as NodeId;
    world.links.call<Saw>(
      { from: "core", to: witness, deadlineMs: ASK_MS },
      (reply) => world.links.look(witness, about, reply),
      (saw) => {
        if (saw && life === this.life) this.told(regionId, about, saw);
      },
    );
  }

  /** Healthy nodes of the next region that has some; siblings where there is none. */
  #standbysOf(nodeId: NodeId): NodeId[] {
    const { regionId } = this.world.node(nodeId);
    const order = [...this.regions.keys()];
    const from = order.indexOf(regionId);
    const healthy = this.healthy().filter((id) => id !== nodeId);
    for (const next of [...order.slice(from + 1), ...order.slice(0, from + 1)]) {
      const there = healthy.filter((id) => this.world.node(id).regionId === next);
      if (there.length > 0) return there.slice(0, STANDBYS_MAX);
    }
    return [];
  }
}
