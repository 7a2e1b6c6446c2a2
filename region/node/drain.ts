/**
 * Ends all rooms of a node that is going away, in this order: no new players, time for rooms to end
 * by themselves, the players left over sent away to reconnect, and then a barrier: nothing else stops
 * before every room's `onDispose` has settled, because there a game saves what it has.
 */
import type { Logger } from "pino";
import { type Clock, sleep } from "../../shared/clock.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import type { Rooms } from "./colyseus.ts";

const POLL_MS = 20;

export interface DrainOptions {
  readonly rooms: Pick<Rooms, "close" | "deserted" | "endAll" | "gone" | "count" | "ids">;
  /** How long players may go on playing. */
  readonly deadlineMs: number;
  /** How long `onDispose` of all rooms may take after that. */
  readonly settleMs: number;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export async function drainRooms(options: DrainOptions): Promise<void> {
  const { rooms, deadlineMs, settleMs, log } = options;
  const unsettled = new Counter({
    name: "meridian_region_rooms_unsettled_total",
    help: "Rooms whose onDispose had not settled when the drain gave up on them",
    registers: [options.metrics],
  });
  log.info({ rooms: rooms.count, deadlineMs }, "draining: no new players");
  rooms.close();
  await until(() => rooms.deserted, deadlineMs, options.clock);
  rooms.endAll();
  if (await until(() => rooms.gone, settleMs, options.clock)) {
    log.info("drained: every room has ended");
    return;
  }
  unsettled.inc(rooms.count);
  log.error(
    { roomIds: rooms.ids, runbook: "region-drain" },
    "gave up on rooms whose onDispose did not settle",
  );
}

async function until(done: () => boolean, deadlineMs: number, clock: Clock): Promise<boolean> {
  const endsAtMs = clock.monotonicMs() + deadlineMs;
  while (!done()) {
    if (clock.monotonicMs() >= endsAtMs) return false;
    await sleep(clock, POLL_MS);
  }
  return true;
}
