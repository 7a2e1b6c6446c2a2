/** Scaling in a local world: the agent that every world has, with processes of this machine as its pool. */
import pino from "pino";
import { ScalingAgent } from "../../core/scaling/agent/agent.ts";
import { systemClock } from "../../shared/clock.ts";
import { createMetrics } from "../../shared/metrics.ts";
import { LocalPool } from "./local-pool.ts";
import type { RegionNodes } from "./region-nodes.ts";
import type { Environment } from "./settings.ts";
import type { WorldParts } from "./world-parts.ts";

/** A node of this machine starts within seconds, and nobody wants to wait ten minutes to see one go. */
export const SCALING_HERE: Environment = {
  SCALING_NODES_MAX: "4",
  SCALING_COOL_DOWN_MS: "60000",
  SCALING_LEAD_MS: "10000",
  SCALING_PERIOD_MS: "1000",
};
const PERIOD_MS = 1_000;

export interface LocalScaling {
  readonly opsUrl: string;
  readonly operatorToken: string;
  readonly nodes: RegionNodes;
  readonly parts: WorldParts;
  readonly logFile: string;
}

/** Runs until the world stops, and before any of its nodes do. */
export function startScaling({ opsUrl, operatorToken, nodes, parts, logFile }: LocalScaling): void {
  const destination = pino.destination({ dest: logFile, sync: true });
  const agent = new ScalingAgent({
    ops: { url: opsUrl, token: operatorToken },
    pool: new LocalPool(nodes),
    dryRun: false,
    regions: undefined,
    periodMs: PERIOD_MS,
    clock: systemClock,
    random: Math.random,
    log: pino({ name: "scale" }, destination),
    metrics: createMetrics({ process: "scale" }),
    say(line) {
      if (!parts.stopping) parts.report(`↕ ${line}`);
    },
  });
  agent.start();
  parts.onStop(async () => {
    await agent.stop();
    destination.end();
  });
}
