/** The process of the core whose queue is measured: a whole one, on a database and a Redis that are given. */
import { setTimeout as sleep } from "node:timers/promises";
import { startTestCore } from "../../../core/test-core.ts";
import { systemClock } from "../../../shared/clock.ts";
import { RegionId } from "../../../shared/ids.ts";
import type { LinkCredentials } from "../../../shared/link/credentials.ts";

const SETTLE_MS = 300;
const SETTLES_MAX = 10;
/** Memory has settled when a collection changes it by less than this share. */
const SETTLED_SHARE = 0.005;

/** The first thing that is said to the benchmark. */
export interface QueueCoreReady {
  readonly url: string;
  readonly databaseUrl: string;
  /** `host:port` of the link, and as which the benchmark's region calls there. */
  readonly link: string;
  readonly region: LinkCredentials;
}

/** What the benchmark may ask. */
export type QueueCoreQuestion = "memory" | "cpu";

export interface CoreMemory {
  readonly rssBytes: number;
  /** JavaScript objects, and memory outside of the heap that they hold on to. */
  readonly liveBytes: number;
}

export interface CoreCpu {
  /** Since the process began. */
  readonly cpuS: number;
  readonly atMs: number;
}

async function settledMemory(): Promise<CoreMemory> {
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
  return { rssBytes: rss, liveBytes: heapUsed + external };
}

function cpu(): CoreCpu {
  const { user, system } = process.cpuUsage();
  return { cpuS: (user + system) / 1e6, atMs: systemClock.monotonicMs() };
}

const { MASTER_KEY = "", ADMISSION_REDIS_URL = "", ADMISSIONS_PER_SECOND = "" } = process.env;
const core = await startTestCore({
  MASTER_KEY,
  ADMISSION_REDIS_URL,
  ADMISSIONS_PER_SECOND,
  LOG_LEVEL: "error",
});
const regionId = RegionId.parse("beijing");
const issued = await core.authority.issue({ role: "region", regionId });
process.on("message", async (question: QueueCoreQuestion) => {
  process.send?.(question === "memory" ? await settledMemory() : cpu());
});
process.channel?.ref();
const ready: QueueCoreReady = {
  url: core.url,
  databaseUrl: core.databaseUrl,
  link: core.linkAddress,
  region: { ca: core.authority.caPem, ...issued },
};
process.send?.(ready);
