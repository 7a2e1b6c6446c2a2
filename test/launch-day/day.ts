/**
 * A launch day: many players, far too few seats at the peak, and the production's waiting rooms between them, on
 * virtual time. Clients behave as clients do (`waiting.ts`), the core restarts and regions are lost; what is found
 * wrong is counted (`books.ts`, `lines.ts`). The same seed gives the same day.
 */
import { CLASSES_DEFAULT, parseClasses } from "../../core/admission/classes.ts";
import type { WaitingRoomsSettings } from "../../core/admission/entering.ts";
import { WaitingRooms } from "../../core/admission/waiting-rooms.ts";
import { Chance } from "../../shared/chance.testkit.ts";
import { drawClients, HOUR_MS, OPENS_MS } from "./clients.ts";
import { LaunchWorld } from "./launch-world.ts";
import { launchRegions, worldMaxOf } from "./regions.ts";
import { type LaunchReport, reportOf } from "./report.ts";

/** Before 1970 numbers would begin at 0, and those that are drawn are below. */
const BEGIN_MS = 1_700_000_000_000;
const TICK_MS = 500;
const SAMPLE_MS = 60_000;
const SEATS_SHARE = 0.036;
const RATE_S = 300;
/** After the last arrival everybody gets in, gives up or is forgotten within that. */
const AFTER_MS = 4 * HOUR_MS;
const RESTARTS = [0.12, 0.2, 0.75];
const LOSSES = [
  { region: 2, at: 0.16, forMs: 1_800_000 },
  { region: 0, at: 0.7, forMs: 1_200_000 },
];

/** What is tried: the production's, or with a mistake in it. */
export interface Parts {
  readonly settings: (settings: WaitingRoomsSettings) => WaitingRoomsSettings;
  /** Of each life of the core. */
  readonly plant: (rooms: WaitingRooms) => void;
}

export const PRODUCTION: Parts = { settings: (settings) => settings, plant: () => {} };

export interface LaunchDayOptions {
  readonly players: number;
  readonly seed: number;
  readonly hours?: number;
  /** How often time passes in the waiting rooms, ms: a part of a minute. */
  readonly tickMs?: number;
  readonly parts?: Parts;
  readonly progress?: (line: string) => void;
}

export function simulateLaunchDay(options: LaunchDayOptions): LaunchReport {
  const { players, seed, hours = 24, tickMs = TICK_MS } = options;
  const { parts = PRODUCTION, progress = () => {} } = options;
  const chance = new Chance(seed);
  const dayMs = hours * HOUR_MS;
  const regions = launchRegions(players * SEATS_SHARE);
  const { clients, arrivals } = drawClients(players, regions, dayMs, chance);
  const seats = regions.reduce((sum, { capacity }) => sum + capacity, 0);
  const perSecond = Math.max(0.5, seats / regions.length / RATE_S);
  const settings: WaitingRoomsSettings = {
    classes: parseClasses(CLASSES_DEFAULT),
    rate: { perSecond, burst: Math.max(1, perSecond) },
    waitingMax: Math.ceil(players / 20),
    pollsPerSecondMax: Math.max(50, players / 200),
  };
  const open = (nowMs: number) => {
    const ids = regions.map(({ id }) => id);
    const rooms = new WaitingRooms(parts.settings(settings), ids, nowMs);
    parts.plant(rooms);
    return rooms;
  };
  const world = new LaunchWorld({
    ...{ clients, regions, settings, open, chance, seed },
    worldMax: worldMaxOf(regions),
    opensAtMs: BEGIN_MS + OPENS_MS,
    beginMs: BEGIN_MS,
  });
  for (const { atMs, class: name, members } of arrivals) {
    world.expect(members, name, BEGIN_MS + atMs);
  }
  const restarts = RESTARTS.map((share) => BEGIN_MS + share * dayMs);
  const losses = LOSSES.map(({ region, at, forMs }) => {
    const fromMs = BEGIN_MS + at * dayMs;
    return { region, fromMs, toMs: fromMs + forMs };
  });
  const endMs = BEGIN_MS + dayMs + AFTER_MS;
  for (let nowMs = BEGIN_MS; nowMs <= endMs; nowMs += tickMs) {
    const isNow = (ms: number) => ms > nowMs - tickMs && ms <= nowMs;
    world.runUntil(nowMs);
    if (restarts.some(isNow)) world.restart(nowMs);
    for (const { region, fromMs, toMs } of losses) {
      if (isNow(fromMs)) world.lose(region, nowMs);
      if (isNow(toMs)) world.recover(region);
    }
    world.tick(nowMs);
    const sinceMs = nowMs - BEGIN_MS;
    if (sinceMs % SAMPLE_MS !== 0) continue;
    world.sample();
    if (sinceMs > dayMs && world.isOver()) break;
    if (sinceMs % HOUR_MS === 0) progress(`hour ${sinceMs / HOUR_MS}: ${world.now}`);
  }
  world.close(endMs);
  return reportOf({ seed, players, seats, world });
}
