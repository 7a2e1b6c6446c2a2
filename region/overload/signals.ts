/** What a node has to do, in the gate's terms. Pure. */
import type { Load } from "../node/load.ts";
import type { Backlog as OutboxBacklog } from "../outbox/outbox-metrics.ts";
import type { Backlog } from "../transport/backlog.ts";
import type { Sample } from "./thresholds.ts";

/** With fewer players the share is of so many: one slow phone among three players is no overload. */
export const READERS_MIN = 40;

export interface Readings {
  readonly load: Load;
  /** CPU time of the process over the same time, 1 being one core. */
  readonly cpuShare: number;
  /** What V8's heap has taken of its own limit, 0 to 1. */
  readonly heapShare: number;
  readonly backlog: Backlog;
  readonly outbox: OutboxBacklog;
}

export interface Limits {
  readonly loopDelayMs: number;
  readonly memoryBytesMax: number;
  readonly outboxItemsMax: number;
  readonly outboxBytesMax: number;
}

export function sampleOf(readings: Readings, limits: Limits): Sample {
  const { load, cpuShare, heapShare, backlog, outbox } = readings;
  return {
    loopDelay: load.eventLoopDelayP99Ms / limits.loopDelayMs,
    utilisation: Math.min(load.eventLoopUtilisation, cpuShare),
    memory: Math.max(load.rssBytes / limits.memoryBytesMax, heapShare),
    slowReaders: backlog.slowReaders / Math.max(READERS_MIN, backlog.connections),
    outbox: Math.max(outbox.items / limits.outboxItemsMax, outbox.bytes / limits.outboxBytesMax),
  };
}
