/**
 * Keeps a configuration file as a region's nodes are, and HAProxy with it. A status that can't be had
 * changes nothing: the nodes go on where they were.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { Clock } from "../../shared/clock.ts";
import { sleep } from "../../shared/clock.ts";
import type { RegionId } from "../../shared/ids.ts";
import type { StatusAnswer } from "../../shared/protocol/ops.ts";
import { haproxyConfig, type ProxiedNode, type ProxyOptions } from "./config.ts";

const PERIOD_MS = 1_000;

export interface FollowOptions {
  readonly regionId: RegionId;
  readonly proxy: ProxyOptions;
  /** The configuration file. */
  readonly out: string;
  /** Holds the number of HAProxy's master process (`haproxy -W -p FILE`); without it none is told. */
  readonly pidFile?: string | undefined;
  readonly status: () => Promise<StatusAnswer>;
  readonly clock: Clock;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

/** The nodes that players may still have something to do with: also those that drain. */
export function nodesOf(status: StatusAnswer, regionId: RegionId): ProxiedNode[] {
  const region = status.regions.find((one) => one.regionId === regionId);
  if (!region) throw new Error(`the core knows no region ${regionId}`);
  return region.nodes
    .filter(({ state }) => state !== "down")
    .map(({ nodeId, nodeAddress }) => ({ nodeId, address: nodeAddress }));
}

/** Until the signal aborts. */
export async function follow(options: FollowOptions): Promise<void> {
  const { regionId, proxy, out, status, clock, say, signal } = options;
  let written = existsSync(out) ? readFileSync(out, "utf8") : "";
  let problem = "";
  while (!signal.aborted) {
    try {
      const nodes = nodesOf(await status(), regionId);
      const config = haproxyConfig(nodes, proxy);
      if (config !== written) {
        replaceFile(out, config);
        reload(options);
        written = config;
        say(`${nodes.length} nodes: ${nodes.map(({ nodeId }) => nodeId).join(", ") || "none"}`);
      }
      problem = "";
    } catch (error) {
      const line = error instanceof Error ? error.message : String(error);
      if (line !== problem) say(`${line}; the nodes stay as they are`);
      problem = line;
    }
    await sleep(clock, PERIOD_MS, signal);
  }
}

/** The new process takes over the open ports; the former one goes on with the players it has. */
function reload({ pidFile, say }: FollowOptions): void {
  if (pidFile === undefined) return;
  try {
    process.kill(Number(readFileSync(pidFile, "utf8").split("\n")[0]), "SIGUSR2");
  } catch {
    say(`HAProxy does not run yet (${pidFile}); it will read the new file at its start`);
  }
}

function replaceFile(path: string, content: string): void {
  writeFileSync(`${path}.next`, content);
  renameSync(`${path}.next`, path);
}
