/**
 * Two simulated days of many players over thirty regions, with the production ranking, candidates and registry.
 * On the first everybody finds a region and nothing happens to any; the second, with its losses and drains, is
 * what counts. The same seed gives the same days.
 */
import type { GeoLocator } from "../../core/gslb/geo-locator.ts";
import { rank } from "../../core/gslb/ranking.ts";
import { registryStep } from "../../core/regions/registry-step.ts";
import { Chance } from "../../shared/chance.testkit.ts";
import { planCapacity, type SeatsBy } from "./capacity.ts";
import { Fullness } from "./fullness.ts";
import { type Losses, type Outage, planOutages } from "./outages.ts";
import { Placing } from "./placing.ts";
import { drawPlayers } from "./players.ts";
import { Regions } from "./regions.ts";
import { type Report, reportOf } from "./report.ts";
import { DAY_S, drawSessions } from "./sessions.ts";
import { SITE_COUNT, specsOf } from "./sites.ts";
import { Ways } from "./ways.ts";

const DAYS = 2;
const HOUR_S = 3_600;
const PROGRESS_S = 6 * HOUR_S;
const NOWHERE = -1;
/**
 * How often regions heartbeat, by default. In reality it is twice a second; here it has to be longer than the
 * core's grace, so that one that is missed is a region that is lost.
 */
const BEAT_S = 20;

/** What is tried: the production's, or with a mistake in it. */
export interface Parts {
  readonly rank: typeof rank;
  readonly step: typeof registryStep;
}

export const PRODUCTION: Parts = { rank, step: registryStep };

export interface DayOptions {
  readonly players: number;
  readonly seed: number;
  /** Started. */
  readonly locator: GeoLocator;
  readonly seats?: SeatsBy;
  readonly losses?: Losses;
  /** Seconds between heartbeats: a part of an hour, and less than anybody pauses. */
  readonly beatS?: number;
  readonly parts?: Parts;
  readonly progress?: (line: string) => void;
}

export function simulateDay(options: DayOptions): Report {
  const { players: count, seed, parts = PRODUCTION, beatS = BEAT_S } = options;
  const { progress = () => {} } = options;
  const chance = new Chance(seed);
  const { players, ways, sessions, plan, outages } = drawDay(options, chance);
  progress(`${sessions.count} sessions, ${plan.peak} players at once on the first day`);
  const regions = new Regions(specsOf(plan.capacities), parts.step);
  const placing = new Placing({ players, ways, regions, rank: parts.rank, chance });
  const fullness = new Fullness(regions);
  /** Where each player is who is online. */
  const at = new Int8Array(count).fill(NOWHERE);
  const ends = new Ends(count, beatS);

  const place = (player: number, nowS: number, replaced = false) => {
    const region = placing.place(player, nowS, replaced);
    at[player] = region ?? NOWHERE;
    if (region !== undefined) fullness.entered(region);
  };
  let next = 0;
  for (let nowS = 0; nowS < DAYS * DAY_S; nowS += beatS) {
    if (nowS === DAY_S) {
      placing.openBooks();
      fullness.reset();
    }
    for (const player of ends.due(nowS)) {
      const region = at[player] ?? NOWHERE;
      if (region !== NOWHERE) regions.leave(region);
      at[player] = NOWHERE;
    }
    const lost = change(regions, outages, { fromS: nowS, toS: nowS + beatS });
    for (const region of lost) regions.online[region] = 0;
    regions.beat(nowS);
    for (const region of lost) {
      for (const [player, there] of at.entries()) if (there === region) place(player, nowS, true);
    }
    for (; (sessions.beginS[next] ?? Number.POSITIVE_INFINITY) < nowS + beatS; next += 1) {
      const player = sessions.player[next] ?? 0;
      place(player, nowS);
      ends.add(player, sessions.endS[next] ?? 0);
    }
    fullness.sample(nowS);
    if (nowS % PROGRESS_S === 0) progress(`hour ${nowS / HOUR_S} of ${(DAYS * DAY_S) / HOUR_S}`);
  }
  return reportOf({ seed, players: count, plan, outages, books: placing.books, fullness });
}

/** All that happens whatever the ranking does. */
function drawDay(options: DayOptions, chance: Chance) {
  const { players: count, locator, seats = "regions", losses = "apart" } = options;
  const players = drawPlayers(count, locator, chance);
  const ways = new Ways(players, specsOf(new Uint8Array(SITE_COUNT).fill(1)), chance);
  const sessions = drawSessions(players, DAYS, chance);
  const plan = planCapacity(sessions, ways, { regions: SITE_COUNT, dayS: DAY_S, seats });
  const outages = planOutages(plan, { beginS: DAY_S, losses }, chance);
  ways.addTroubles(0, DAYS * DAY_S, chance);
  return { players, ways, sessions, plan, outages };
}

/** @returns the regions that were lost just now */
function change(
  regions: Regions,
  outages: readonly Outage[],
  beat: { readonly fromS: number; readonly toS: number },
): number[] {
  const isNow = (timeS: number) => timeS >= beat.fromS && timeS < beat.toS;
  const lost: number[] = [];
  for (const { region, kind, fromS, toS } of outages) {
    if (isNow(fromS)) {
      regions.health[region] = kind;
      if (kind === "lost") lost.push(region);
    } else if (isNow(toS)) regions.health[region] = "well";
  }
  return lost;
}

/** Whose session ends when: a list for each beat, as an array that names the next of the same list. */
class Ends {
  readonly #beatS: number;
  readonly #first: Int32Array;
  readonly #next: Int32Array;

  constructor(players: number, beatS: number) {
    this.#beatS = beatS;
    this.#first = new Int32Array(Math.ceil((DAYS * DAY_S) / beatS)).fill(-1);
    this.#next = new Int32Array(players).fill(-1);
  }

  /** One at a time for each player. */
  add(player: number, endS: number): void {
    const beat = Math.ceil(endS / this.#beatS);
    if (beat >= this.#first.length) return;
    this.#next[player] = this.#first[beat] ?? -1;
    this.#first[beat] = player;
  }

  *due(nowS: number): Generator<number> {
    let player = this.#first[nowS / this.#beatS] ?? -1;
    while (player >= 0) {
      const next = this.#next[player] ?? -1;
      yield player;
      player = next;
    }
  }
}
