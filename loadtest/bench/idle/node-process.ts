/**
 * The process of the node that is measured: a region node as `region/main.ts` makes it, but for its
 * game, its name, and Redis, which has no part in what a player costs.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { LocalDriver, LocalPresence } from "@colyseus/core";
import { regionSettings } from "../../../region/config.ts";
import { RegionNode } from "../../../region/node/node.ts";
import { noStreams } from "../../../region/outbox/no-streams.ts";
import { defineGame } from "../../../region/rooms/define-game.ts";
import { systemClock } from "../../../shared/clock.ts";
import { readConfig } from "../../../shared/config.ts";
import { NodeId } from "../../../shared/ids.ts";
import { startAll } from "../../../shared/lifecycle.ts";
import { readLinkCredentials } from "../../../shared/link/credentials.ts";
import { LinkIdentity } from "../../../shared/link/identity.ts";
import { createLog } from "../../../shared/log.ts";
import { createMetrics } from "../../../shared/metrics.ts";
import { IdleRoom } from "./idle-room.ts";
import { openFilesMax } from "./open-files.ts";

const SETTLE_MS = 500;
const SETTLES_MAX = 20;
/** Memory has settled when a collection changes it by less than this share. */
const SETTLED_SHARE = 0.005;

/** The first thing that is said to the benchmark. */
export interface NodeReady {
  /** `host:port` of its link and of its websockets. */
  readonly link: string;
  readonly players: string;
  readonly openFilesMax: number;
}

/** What the benchmark may ask. */
export type NodeQuestion = "memory" | "cpu";

export interface NodeMemory {
  readonly rssBytes: number;
  /** JavaScript objects. */
  readonly heapBytes: number;
  /** Memory outside of the heap that objects hold on to. */
  readonly externalBytes: number;
}

export interface NodeCpu {
  /** Since the process began. */
  readonly cpuS: number;
  readonly atMs: number;
}

async function settledMemory(): Promise<NodeMemory> {
  let before = Number.POSITIVE_INFINITY;
  let memory = process.memoryUsage();
  for (let settles = 0; settles < SETTLES_MAX; settles += 1) {
    globalThis.gc?.();
    await sleep(SETTLE_MS);
    memory = process.memoryUsage();
    if (Math.abs(before - memory.rss) < memory.rss * SETTLED_SHARE) break;
    before = memory.rss;
  }
  const { rss, heapUsed, external } = memory;
  return { rssBytes: rss, heapBytes: heapUsed, externalBytes: external };
}

function cpu(): NodeCpu {
  const { user, system } = process.cpuUsage();
  return { cpuS: (user + system) / 1e6, atMs: systemClock.monotonicMs() };
}

const config = readConfig(regionSettings, process.env);
const log = createLog("region", config.LOG_LEVEL);
defineGame("idle", IdleRoom);
const node = new RegionNode({
  config,
  nodeId: NodeId.parse(`${config.REGION_ID}-1`),
  games: new Map([["idle", IdleRoom]]),
  sharing: { presence: new LocalPresence(), driver: new LocalDriver() },
  redis: { state: "up", stop() {} },
  streams: noStreams,
  identity: new LinkIdentity(readLinkCredentials(config)),
  readIdentity: () => readLinkCredentials(config),
  onSuperseded(error) {
    throw error;
  },
  clock: systemClock,
  random: Math.random,
  log,
  metrics: createMetrics({ region: config.REGION_ID }),
});
await startAll(node.parts(), log);
process.on("message", async (question: NodeQuestion) => {
  process.send?.(question === "memory" ? await settledMemory() : cpu());
});
const { link, players } = node.addresses();
const ready: NodeReady = { link, players, openFilesMax: openFilesMax() };
process.send?.(ready);
