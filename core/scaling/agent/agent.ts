/**
 * Carries out what the core decides of scaling: asks it every few seconds, and for each region does the one thing
 * that is next (`act-step.ts`). Nodes are emptied by the core's evacuations, under this agent's token, and so are in the
 * audit log; they are made and ended by the pool.
 *
 * When the pool or the core fails, nothing is scaled, and what runs goes on: it is tried again, each region at its
 * own pace, ever more seldom up to `AGAIN_MS_MAX`.
 */
import type { Logger } from "pino";
import { type Clock, sleep } from "../../../shared/clock.ts";
import { isFailure } from "../../../shared/errors.ts";
import type { RegionId } from "../../../shared/ids.ts";
import type { Part } from "../../../shared/lifecycle.ts";
import type { Metrics } from "../../../shared/metrics.ts";
import {
  EvacuationAnswer,
  EvacuationStatus,
  EvacuationsAnswer,
} from "../../../shared/protocol/ops-failover.ts";
import { type RegionScalingStatus, ScalingAnswer } from "../../../shared/protocol/ops-scaling.ts";
import { callOps, type OpsCall, type OpsClientOptions } from "../../ops/cli-client.ts";
import { counted } from "../../ops/cli-text.ts";
import { type Act, actOf } from "./act-step.ts";
import { AgentMetrics } from "./agent-metrics.ts";
import type { NodePool } from "./node-pool.ts";

/** Of all that is done for one region at a time. */
const ACT_DEADLINE_MS = 30_000;
const AGAIN_MS_MAX = 60_000;
const ROOMS_PER_S = 20;

export interface AgentDeps {
  readonly ops: OpsClientOptions;
  readonly pool: NodePool;
  /** Only says what would be done. */
  readonly dryRun: boolean;
  /** Those that it scales; all when undefined. */
  readonly regions: readonly string[] | undefined;
  readonly periodMs: number;
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Told one line for people of each thing that is done, or would be. */
  readonly say: (line: string) => void;
}

interface Failing {
  readonly failures: number;
  /** Monotonic. */
  readonly notBeforeMs: number;
}

export class ScalingAgent implements Part {
  readonly name = "scaling agent";
  readonly #deps: AgentDeps;
  readonly #metrics: AgentMetrics;
  readonly #stopped = new AbortController();
  readonly #failing = new Map<RegionId, Failing>();
  /** What was said of each region last: each thing is said once. */
  readonly #said = new Map<RegionId, string>();
  #running: Promise<void> | undefined;

  constructor(deps: AgentDeps) {
    this.#deps = deps;
    this.#metrics = new AgentMetrics(deps.metrics, deps.pool.name);
  }

  start(): void {
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, periodMs } = this.#deps;
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      await this.#pass().catch((err: unknown) => this.#coreFailed(err));
      await sleep(clock, periodMs, signal);
    }
  }

  #coreFailed(err: unknown): void {
    if (this.#stopped.signal.aborted) return;
    this.#metrics.failed("core", "");
    const about = { err, runbook: "scaling-adapter" };
    this.#deps.log.warn(about, "the core does not say how many nodes there should be");
  }

  async #pass(): Promise<void> {
    const { regions: ours, clock } = this.#deps;
    const { regions } = await this.#ask({ path: "/ops/scaling", answer: ScalingAnswer });
    const { evacuations } = await this.#ask({
      path: "/ops/evacuations",
      answer: EvacuationsAnswer,
    });
    for (const region of regions) {
      const { regionId } = region;
      if (this.#stopped.signal.aborted) return;
      if (ours && !ours.includes(regionId)) continue;
      if (clock.monotonicMs() < (this.#failing.get(regionId)?.notBeforeMs ?? 0)) continue;
      const evacuation = evacuations.find((one) => one.regionId === regionId);
      await this.#scale(region, evacuation);
    }
  }

  async #scale(
    region: RegionScalingStatus,
    evacuation: EvacuationStatus | undefined,
  ): Promise<void> {
    const { pool, dryRun, log } = this.#deps;
    const { regionId } = region;
    const signal = AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(ACT_DEADLINE_MS)]);
    let act = actOf(region, evacuation);
    try {
      if (act.type === "evacuate" && pool.leaving) {
        act = actOf(region, evacuation, await pool.leaving(region, signal));
      }
      this.#tell(region, act);
      if (!dryRun) await this.#carryOut(region, act, signal);
      this.#failing.delete(regionId);
    } catch (err) {
      if (this.#stopped.signal.aborted) return;
      const retryInMs = this.#noteFailure(regionId);
      this.#metrics.failed(pool.name, regionId);
      const kind = isFailure(err) ? err.kind : "internal";
      const about = { err, kind, regionId, act: act.type, adapter: pool.name, retryInMs };
      log.warn({ ...about, runbook: "scaling-adapter" }, "a region could not be scaled");
    }
  }

  async #carryOut(region: RegionScalingStatus, act: Act, signal: AbortSignal): Promise<void> {
    const { pool } = this.#deps;
    const { regionId, reason, why } = region;
    const order = { regionId, reason, why };
    if (act.type === "none" || act.type === "wait") return;
    if (act.type === "add") await pool.setNodes({ ...order, nodes: act.nodes }, signal);
    else if (act.type === "remove") {
      await pool.setNodes({ ...order, nodes: act.nodes, without: act.node }, signal);
    } else if (act.type === "evacuate") {
      const body = { regionId, nodeId: act.node.nodeId, roomsPerS: ROOMS_PER_S };
      const path = "/ops/evacuations";
      await this.#ask({ method: "POST", path, body, answer: EvacuationAnswer });
    } else {
      const path = `/ops/evacuations/${regionId}/stop`;
      await this.#ask({ method: "POST", path, answer: EvacuationStatus });
    }
    this.#metrics.done(regionId, act.type);
  }

  #tell(region: RegionScalingStatus, act: Act): void {
    const { regionId } = region;
    const line = `${regionId}: ${wordsOf(region, act)}`;
    if (this.#said.get(regionId) === act.type + region.wanted) return;
    this.#said.set(regionId, act.type + region.wanted);
    this.#deps.say(line);
  }

  /** Half of it is drawn, so that regions that failed together do not come back together. */
  #noteFailure(regionId: RegionId): number {
    const { clock, periodMs, random } = this.#deps;
    const failures = (this.#failing.get(regionId)?.failures ?? 0) + 1;
    const mostMs = Math.min(AGAIN_MS_MAX, periodMs * 2 ** failures);
    const waitMs = Math.round(mostMs * (0.5 + random() / 2));
    this.#failing.set(regionId, { failures, notBeforeMs: clock.monotonicMs() + waitMs });
    return waitMs;
  }

  #ask<T>(request: OpsCall<T>): Promise<T> {
    return callOps(this.#deps.ops, { ...request, signal: this.#stopped.signal });
  }
}

function wordsOf({ running, wanted, why }: RegionScalingStatus, act: Act): string {
  switch (act.type) {
    case "none":
      return `${running} of ${counted(wanted, "node")}, nothing to do. ${why}`;
    case "add":
      return `${counted(running, "node")}, ${act.nodes} from now on. ${why}`;
    case "evacuate":
      return `${act.node.nodeId} is emptied: of ${counted(running, "node")} ${wanted} will do. ${why}`;
    case "keep":
      return `${act.nodeId} stays after all. ${why}`;
    case "remove":
      return `${act.node.nodeId} is empty and goes: ${counted(act.nodes, "node")}. ${why}`;
    case "wait":
      return `${act.why}.`;
  }
}
