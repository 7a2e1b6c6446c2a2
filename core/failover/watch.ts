/**
 * Watches all nodes: runs the detector on what the core sees, hears and is told, and carries out what it asks for.
 *
 * Between two ticks only evidence makes it run, so that a proof of death is acted upon at once. Looks are bounded
 * by one of a node at a time; so are questions to witnesses, by one of a node in each region.
 */
import type { Logger } from "pino";
import type { Cancel, Clock } from "../../shared/clock.ts";
import { isFailure } from "../../shared/errors.ts";
import type { NodeId, PlayerId, RegionId } from "../../shared/ids.ts";
import type { Part } from "../../shared/lifecycle.ts";
import type { LinkIdentity } from "../../shared/link/identity.ts";
import { look } from "../../shared/link/look.ts";
import { NodeAddress, type Saw } from "../../shared/protocol/failover.ts";
import type { NodeCalls } from "../regions/node-calls.ts";
import { liveNodes } from "../regions/region-view.ts";
import type { Registry } from "../regions/registry.ts";
import type { NodeRecord } from "../regions/registry-step.ts";
import {
  type DetectorEffect,
  type DetectorEvent,
  type DetectorState,
  type DetectorThresholds,
  detectorStep,
  initialDetector,
  type NodeHealth,
  type WatchedNode,
} from "./detector-step.ts";
import type { FailoverMetrics } from "./failover-metrics.ts";

const TICK_MS = 100;
/** Looks and questions under way; those past it are asked for again by the detector. */
const UNDER_WAY_MAX = 256;

export interface WatchDeps {
  readonly registry: Registry;
  readonly calls: Pick<NodeCalls, "witness">;
  readonly identity: LinkIdentity;
  readonly onDown: (nodeId: NodeId, because: "refused" | "silent") => void;
  readonly onHealth: (nodeId: NodeId) => void;
  readonly thresholds: DetectorThresholds;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: FailoverMetrics;
}

export class Watch implements Part {
  readonly name = "watch over nodes";
  readonly #deps: WatchDeps;
  /** Looks and questions, by what they are about. */
  readonly #underWay = new Map<string, Promise<void>>();
  #state: DetectorState;
  #stopped = false;
  #cancel: Cancel = () => {};

  constructor(deps: WatchDeps) {
    this.#deps = deps;
    this.#state = initialDetector(deps.clock.monotonicMs());
  }

  start(): void {
    const { clock } = this.#deps;
    // Anew: this core has heard nobody before, however long its start has waited.
    this.#state = initialDetector(clock.monotonicMs());
    this.#cancel = clock.every(TICK_MS, () => this.look());
  }

  /** Looks over all nodes now: one that was in doubt was heard. */
  look(): void {
    const oneRegion = this.#deps.registry.regions().length === 1;
    this.#dispatch({ type: "tick", nodes: this.#watched(), oneRegion });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await Promise.all(this.#underWay.values());
  }

  /** What a witness saw, asked or unasked. */
  witnessed(by: RegionId, nodeId: NodeId, saw: Saw): void {
    this.#deps.metrics.saw("witness", saw);
    this.#hear({ type: "saw", by, nodeId, saw });
  }

  /** A call to a node was refused, or had no answer in time. */
  callFailed(nodeId: NodeId): void {
    this.#hear({ type: "callFailed", nodeId });
  }

  /** A player can't reach a node. */
  reported(by: PlayerId, nodeId: NodeId): void {
    this.#hear({ type: "reported", by, nodeId });
  }

  fenced(nodeId: NodeId): void {
    this.#dispatch({ type: "fenced", nodeId });
  }

  /** News of a node, which may have registered only since the last tick. */
  #hear(event: Exclude<DetectorEvent, { type: "tick" | "paused" }>): void {
    if (!this.#state.nodes.has(event.nodeId)) this.look();
    this.#dispatch(event);
  }

  #dispatch(event: DetectorEvent): void {
    if (this.#stopped) return;
    const { clock, thresholds } = this.#deps;
    const [state, effects] = detectorStep(this.#state, event, clock.monotonicMs(), thresholds);
    this.#state = state;
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: DetectorEffect): void {
    const { nodeId } = effect;
    if (effect.type === "look") this.#once(`look ${nodeId}`, () => this.#lookAt(nodeId));
    else if (effect.type === "health") this.#tellHealth(nodeId, effect.health);
    else if (effect.type === "down") this.#deps.onDown(nodeId, effect.because);
    else {
      for (const regionId of effect.regionIds) {
        this.#once(`ask ${regionId} ${nodeId}`, () => this.#ask(regionId, nodeId));
      }
    }
  }

  #once(key: string, work: () => Promise<void>): void {
    if (this.#underWay.has(key) || this.#underWay.size >= UNDER_WAY_MAX) return;
    const done = work()
      .catch((err: unknown) => {
        this.#deps.log.error({ err, runbook: "core-failover" }, "could not look at a node");
      })
      .finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, done);
  }

  async #lookAt(nodeId: NodeId): Promise<void> {
    const { registry, identity, clock, metrics } = this.#deps;
    const node = registry.node(nodeId)?.node;
    if (!node) return;
    const saw = await look({ address: node.heartbeat.linkAddress, identity, clock });
    metrics.saw("core", saw);
    this.#dispatch({ type: "saw", by: "core", nodeId, saw });
  }

  async #ask(regionId: RegionId, nodeId: NodeId): Promise<void> {
    const { registry, calls, metrics } = this.#deps;
    const about = registry.node(nodeId)?.node;
    const witness = this.#witnessIn(regionId, nodeId);
    if (!about || !witness) return;
    const { linkAddress } = about.heartbeat;
    try {
      const asked = { about: NodeAddress.parse({ nodeId, linkAddress }) };
      const { saw } = await calls.witness(witness, asked);
      this.witnessed(regionId, nodeId, saw);
    } catch (error) {
      if (!isFailure(error)) throw error;
      // Of whom it was asked nothing is known: no evidence.
      metrics.saw("witness", "failed");
    }
  }

  /** The one that was heard last: it is the most likely to answer. */
  #witnessIn(regionId: RegionId, about: NodeId): NodeRecord | undefined {
    const { registry } = this.#deps;
    const region = registry.region(regionId);
    if (!region) return undefined;
    return liveNodes(region)
      .filter(({ nodeId, health }) => nodeId !== about && health !== "isolated")
      .filter(({ nodeId }) => !registry.fenced.isLost(nodeId))
      .toSorted((a, b) => b.receivedMs - a.receivedMs)[0];
  }

  #tellHealth(nodeId: NodeId, health: NodeHealth): void {
    const { registry, log, onHealth } = this.#deps;
    const before = registry.node(nodeId)?.node.health;
    registry.setHealth(nodeId, health);
    onHealth(nodeId);
    if (health === before) return;
    const about = { nodeId, before, health };
    if (health === "isolated") {
      const message = "a node lives, but its way to the core is cut";
      log.warn({ ...about, runbook: "core-failover" }, message);
    } else log.info(about, "the core thinks differently of a node");
  }

  #watched(): WatchedNode[] {
    const { registry } = this.#deps;
    return registry.regions().flatMap(({ spec, nodes }) => {
      return [...nodes.values()]
        .filter(({ nodeId }) => !registry.fenced.has(nodeId))
        .map(({ nodeId, receivedMs, heartbeat }) => ({
          nodeId,
          regionId: spec.id,
          heardMs: receivedMs,
          relayed: heartbeat.relayed ?? false,
          // One that drains may run for hours; without rooms and players it is about to end.
          leaving:
            heartbeat.state === "draining" && heartbeat.rooms === 0 && heartbeat.connected === 0,
        }));
    });
  }
}
