/**
 * Decides every few seconds how many nodes each region should run, and says why. It starts and ends none: that does
 * whoever asks for the decisions (`agent/`). What is decided is in this core's memory alone: after a restart what
 * runs goes on to run, and nothing is scaled down before one cool-down has passed.
 */
import type { Logger } from "pino";
import type { Cancel, Clock } from "../../shared/clock.ts";
import type { RegionId } from "../../shared/ids.ts";
import type { Part } from "../../shared/lifecycle.ts";
import type { Metrics } from "../../shared/metrics.ts";
import {
  DECISIONS_KEPT_MAX,
  type RegionScalingStatus,
  type ScaledNode,
  type ScalingAnswer,
  type ScalingDecision,
} from "../../shared/protocol/ops-scaling.ts";
import type { Headroom } from "../admission/headroom.ts";
import { liveNodes, seatsTaken } from "../regions/region-view.ts";
import type { Registry } from "../regions/registry.ts";
import type { NodeRecord } from "../regions/registry-step.ts";
import { explain } from "./explain.ts";
import { isRunning, sampleOf } from "./sample.ts";
import { ScalingMetrics } from "./scaling-metrics.ts";
import {
  type Decision,
  type RegionSample,
  type RegionScaling,
  type ScalingSettings,
  type ScalingState,
  scalingStep,
} from "./scaling-step.ts";

export interface ScalingDeps {
  readonly registry: Pick<Registry, "regions" | "region">;
  readonly waitingOf: (regionId: RegionId) => number;
  readonly headroom: Headroom;
  /** Of regions whose topology names none. */
  readonly bounds: RegionSample["bounds"];
  readonly settings: ScalingSettings;
  readonly periodMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class Scaling implements Part {
  readonly name = "scaling";
  readonly #deps: ScalingDeps;
  readonly #metrics: ScalingMetrics;
  #state: ScalingState = new Map();
  /** The newest first. */
  #decisions: readonly ScalingDecision[] = [];
  #cancel: Cancel = () => {};

  constructor(deps: ScalingDeps) {
    this.#deps = deps;
    this.#metrics = new ScalingMetrics(deps.metrics, () => this.#state);
  }

  start(): void {
    this.#cancel = this.#deps.clock.every(this.#deps.periodMs, () => this.#look());
  }

  stop(): void {
    this.#cancel();
  }

  /** What was decided of each region, and what its nodes do by now. */
  get answer(): ScalingAnswer {
    const { clock } = this.#deps;
    const regions = [...this.#state].map(([id, scaling]) => this.#statusOf(id, scaling));
    return { coreTimeMs: clock.nowMs(), regions, decisions: [...this.#decisions] };
  }

  #look(): void {
    const { registry, settings, clock } = this.#deps;
    const sample = sampleOf({ ...this.#deps, regions: registry.regions() });
    const [state, decisions] = scalingStep(this.#state, sample, settings, clock.monotonicMs());
    this.#state = state;
    for (const decision of decisions) this.#note(decision);
  }

  #note({ regionId, from, to, scaling }: Decision): void {
    const { clock, log } = this.#deps;
    const { reason } = scaling;
    const why = this.#why(scaling);
    const decision = { regionId, atMs: clock.nowMs(), from: from ?? null, to, reason, why };
    this.#decisions = [decision, ...this.#decisions].slice(0, DECISIONS_KEPT_MAX);
    if (from === undefined) return;
    this.#metrics.decided(regionId, reason);
    log.info(decision, "another number of nodes is wanted");
  }

  #why(scaling: RegionScaling): string {
    return explain(scaling, this.#deps.settings, this.#deps.clock.monotonicMs());
  }

  #statusOf(regionId: RegionId, scaling: RegionScaling): RegionScalingStatus {
    const { registry, clock } = this.#deps;
    const { wanted, bounds, reason, need, changedMs } = scaling;
    const region = registry.region(regionId);
    const live = region ? liveNodes(region) : [];
    return {
      regionId,
      wanted,
      running: live.filter(isRunning).length,
      ...bounds,
      reason,
      why: this.#why(scaling),
      sinceMs: Math.round(clock.nowMs() - (clock.monotonicMs() - changedMs)),
      players: live.reduce((sum, node) => sum + seatsTaken(node), 0),
      waiting: need?.waiting ?? 0,
      seatsPerNode: need ? Math.floor(need.seatsPerNode) : null,
      nodes: live.map(nodeOf),
    };
  }
}

function nodeOf(node: NodeRecord): ScaledNode {
  const { nodeId, heartbeat } = node;
  return {
    nodeId,
    linkAddress: heartbeat.linkAddress,
    draining: !isRunning(node),
    taken: seatsTaken(node),
    rooms: heartbeat.rooms,
  };
}
