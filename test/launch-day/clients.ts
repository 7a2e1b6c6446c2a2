/** Who comes on launch day, when, with whom, and how they behave while they wait. */
import type { Chance } from "../../shared/chance.testkit.ts";
import type { PlayerId, RegionId } from "../../shared/ids.ts";
import { exponential, logNormal } from "../gslb-day/draws.ts";
import type { LaunchRegion } from "./regions.ts";

export const HOUR_MS = 3_600_000;
export const OPENS_MS = 2 * HOUR_MS;
const PRE_MS = 1_800_000;
/** Of all: those who wait for the opening, and those of the rush after it. */
const BEFORE_SHARE = 0.06;
const RUSH_SHARE = 0.12;
const RUSH_MEAN_MS = 900_000;
/** The evening, from opening on, has half as many again a second as the rest of the day. */
const EVENING = { fromHour: 14, toHour: 18, times: 1.5 };
const SESSION_MEDIAN_MS = 1_500_000;
const SESSION_SIGMA = 0.9;
const PATIENCE_MEDIAN_MS = 1_800_000;
const PATIENCE_SIGMA = 0.8;
const PARTY_SIZES = [1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4, 5];
const STAFF = 0.002;
const SUPPORTERS = 0.05;

/** What a client is about to do next. */
export type Doing = "arrive" | "poll" | "take" | "seat" | "end" | "back" | "gone";
export type Manner = "usual" | "hidden" | "crashes" | "vanishes" | "refuses" | "closes";

/** Those who come together; after a lost seat each comes back alone. */
export interface Unit {
  readonly members: Client[];
  readonly class: string;
  readonly arrivedMs: number;
  /** Numbers as told, by region. */
  numbers: Map<RegionId, number>;
  /** Since when it is called, until it lapses or all have their seats. */
  calledMs: number | undefined;
  wasCalled: boolean;
  /** Grows whenever who belongs to it, or where it waits, changes. */
  version: number;
  /** Taken out of the oracle's lines, as it was absent. */
  parked: boolean;
  /** By region, since it was called last: seats that smaller ones behind it got. */
  passedSeats: Map<number, number>;
  /** What was told of the wait: when, the estimate and its bounds. */
  told: number[];
  disturbed: boolean;
}

export interface Client {
  readonly index: number;
  readonly id: PlayerId;
  readonly home: number;
  readonly manner: Manner;
  unit: Unit | undefined;
  doing: Doing;
  /** When that is, ms. */
  atMs: number;
  patienceMs: number;
  presentUntilMs: number;
  /** So long the core takes it to be there, whatever became of it. */
  toldUntilMs: number;
  seenMs: number;
  graceMs: number;
  /** Of the core that signed its token. */
  life: number;
  seat: number;
  region: LaunchRegion | undefined;
  retries: number;
  failed: boolean;
}

export interface Arrival {
  readonly atMs: number;
  readonly class: string;
  readonly members: readonly Client[];
}

export function drawClients(
  count: number,
  regions: readonly LaunchRegion[],
  dayMs: number,
  chance: Chance,
): { readonly clients: Client[]; readonly arrivals: Arrival[] } {
  const clients: Client[] = [];
  const arrivals: Arrival[] = [];
  while (clients.length < count) {
    const size = Math.min(chance.of(PARTY_SIZES), count - clients.length);
    const home = drawHome(regions, chance);
    const members = Array.from({ length: size }, (_, n) =>
      newClient(clients.length + n, home, chance),
    );
    clients.push(...members);
    arrivals.push({ atMs: drawArrival(dayMs, chance), class: drawClass(chance), members });
  }
  return { clients, arrivals };
}

export function sessionMs(chance: Chance): number {
  return Math.max(60_000, logNormal(chance, SESSION_MEDIAN_MS, SESSION_SIGMA));
}

export function newUnit(members: Client[], name: string, arrivedMs: number): Unit {
  const unit: Unit = {
    ...{ members, class: name, arrivedMs },
    numbers: new Map(),
    calledMs: undefined,
    wasCalled: false,
    version: 0,
    parked: false,
    passedSeats: new Map(),
    told: [],
    disturbed: false,
  };
  for (const one of members) one.unit = unit;
  return unit;
}

function newClient(index: number, home: number, chance: Chance): Client {
  return {
    ...{ index, home, id: `p${index}` as PlayerId, manner: drawManner(chance) },
    unit: undefined,
    doing: "arrive",
    atMs: 0,
    patienceMs: logNormal(chance, PATIENCE_MEDIAN_MS, PATIENCE_SIGMA),
    presentUntilMs: 0,
    toldUntilMs: 0,
    seenMs: 0,
    graceMs: 0,
    life: 0,
    seat: -1,
    region: undefined,
    retries: 0,
    failed: false,
  };
}

function drawManner(chance: Chance): Manner {
  const dice = chance.float();
  if (dice < 0.12) return "hidden";
  if (dice < 0.15) return "crashes";
  if (dice < 0.22) return "vanishes";
  if (dice < 0.24) return "refuses";
  return dice < 0.34 ? "closes" : "usual";
}

function drawClass(chance: Chance): string {
  const dice = chance.float();
  if (dice < STAFF) return "staff";
  return dice < STAFF + SUPPORTERS ? "supporter" : "normal";
}

function drawHome(regions: readonly LaunchRegion[], chance: Chance): number {
  let left = chance.float();
  for (const [index, { share }] of regions.entries()) {
    left -= share;
    if (left < 0) return index;
  }
  return 0;
}

function drawArrival(dayMs: number, chance: Chance): number {
  const dice = chance.float();
  if (dice < BEFORE_SHARE) return OPENS_MS - PRE_MS + chance.float() * PRE_MS;
  const rest = dayMs - OPENS_MS;
  if (dice < BEFORE_SHARE + RUSH_SHARE) {
    return OPENS_MS + (exponential(chance, RUSH_MEAN_MS) % rest);
  }
  for (;;) {
    const atMs = chance.float() * rest;
    const hour = atMs / HOUR_MS;
    const isEvening = hour >= EVENING.fromHour && hour < EVENING.toHour;
    if (isEvening || chance.float() < 1 / EVENING.times) return OPENS_MS + atMs;
  }
}
