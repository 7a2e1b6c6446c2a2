/**
 * The regions as the core sees them: the production registry and candidates, fed with heartbeats every few
 * simulated seconds, and with each seat that is granted between them. A region here never refuses anybody: that
 * none has more players than seats is up to the ranking, and is what is looked at.
 */
import { Candidates } from "../../core/gslb/candidates.ts";
import {
  initialRegistry,
  type RegistryEvent,
  type RegistryState,
  type registryStep,
} from "../../core/regions/registry-step.ts";
import type { RegionSpec } from "../../core/regions/topology.ts";
import { GameName, nodeIdOf } from "../../shared/ids.ts";
import { Heartbeat } from "../../shared/protocol/link.ts";
import type { Outage } from "./outages.ts";

const GAME = GameName.parse("arena");
/** How busy an event loop is that has nobody, and what a full one has on top. */
const IDLE_UTILISATION = 0.1;
const PLAYERS_UTILISATION = 0.6;

export type Health = Outage["kind"] | "well";

export class Regions {
  readonly specs: readonly RegionSpec[];
  /** Players in each. */
  readonly online: Int32Array;
  readonly health: Health[];
  readonly #step: typeof registryStep;
  readonly #templates: readonly Heartbeat[];
  readonly #candidates: Candidates;
  #state: RegistryState;
  #sequence = 0;

  constructor(specs: readonly RegionSpec[], step: typeof registryStep) {
    this.specs = specs;
    this.online = new Int32Array(specs.length);
    this.health = specs.map(() => "well");
    this.#step = step;
    this.#templates = specs.map(firstHeartbeat);
    this.#state = initialRegistry(specs, 0);
    for (const { id } of specs) this.#dispatch({ type: "epoch", regionId: id, epoch: [1, 1] }, 0);
    this.#candidates = new Candidates(() => this.#state);
  }

  /** One for each region, in the order of `specs`. */
  get candidates() {
    return this.#candidates.for({ game: GAME });
  }

  /** Every region that lives says how it is. */
  beat(nowS: number): void {
    this.#sequence += 1;
    const nowMs = nowS * 1_000;
    for (const [region, template] of this.#templates.entries()) {
      if (this.health[region] === "lost") continue;
      const connected = this.online[region] ?? 0;
      const utilisation =
        IDLE_UTILISATION + PLAYERS_UTILISATION * Math.min(1, connected / template.capacity);
      const heartbeat: Heartbeat = {
        ...template,
        sequence: this.#sequence,
        connected,
        state: this.health[region] === "draining" ? "draining" : "active",
        load: { ...template.load, eventLoopUtilisation: utilisation },
      };
      this.#dispatch({ type: "heartbeat", from: template.regionId, heartbeat }, nowMs);
    }
    this.#dispatch({ type: "tick" }, nowMs);
  }

  enter(region: number, nowS: number): void {
    this.online[region] = (this.online[region] ?? 0) + 1;
    const template = this.#templates[region];
    if (!template) return;
    const { regionId, nodeId } = template;
    this.#dispatch({ type: "seatGranted", regionId, nodeId }, nowS * 1_000);
  }

  leave(region: number): void {
    this.online[region] = (this.online[region] ?? 0) - 1;
  }

  #dispatch(event: RegistryEvent, nowMs: number): void {
    [this.#state] = this.#step(this.#state, event, nowMs);
  }
}

function firstHeartbeat(spec: RegionSpec): Heartbeat {
  return Heartbeat.parse({
    regionId: spec.id,
    nodeId: nodeIdOf(spec.id, 1),
    sequence: 1,
    protocol: 1,
    build: "day",
    publicAddress: `${spec.id}.test:1`,
    nodeAddress: `${spec.id}.test:1`,
    linkAddress: `${spec.id}.test:2`,
    games: [GAME],
    state: "active",
    capacity: spec.capacity,
    connected: 0,
    reserved: 0,
    rooms: 0,
    load: { eventLoopDelayP99Ms: 1, eventLoopUtilisation: IDLE_UTILISATION, rssBytes: 1 },
    redis: "up",
    keyIds: [],
    endedRooms: [],
  });
}
