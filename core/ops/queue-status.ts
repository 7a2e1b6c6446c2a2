/** The queue in front of a region as operators see it. Pure. */
import type { QueueStatus } from "../../shared/protocol/ops.ts";
import { type ClassSpec, NORMAL } from "../admission/classes.ts";
import type { RegionQueue } from "../admission/region-queue.ts";

export function queueStatus(
  queue: RegionQueue,
  classes: readonly ClassSpec[],
  nowMs: number,
): QueueStatus {
  const waiting = queue.waitingByClass;
  const normal = classes.findIndex(({ name }) => name === NORMAL);
  const { pausedUntilMs, seats } = queue;
  return {
    regionId: queue.regionId,
    waiting: classes.map(({ name }, index) => ({ class: name, players: waiting[index] ?? 0 })),
    called: queue.calledPlayers,
    letInPerSecond: queue.letInPerSecond(nowMs),
    eta: queue.etaOfNew(normal, 1, nowMs),
    seats: seats ? { free: seats.all, forEveryone: seats.limited, limit: seats.limit } : null,
    held: queue.held,
    pausedUntilMs: nowMs < pausedUntilMs ? pausedUntilMs : null,
    opensAtMs: queue.opensAtMs(nowMs) ?? null,
  };
}
