/**
 * Places players by the ranking and keeps the books on it: how much further than the nearest region that is up,
 * who was sent elsewhere than last time for no good reason, who got no place.
 *
 * A **flap**: a returning player is sent to another region than last time, although the last one takes players,
 * the other one took players back then too, and the way to the last one has not got worse, in comparison with
 * the way to the other, by more than what `home` is worth to the ranking. That the load changed is no excuse.
 */
import { HOME_MS, type Ranked, type RankingRequest, type rank } from "../../core/gslb/ranking.ts";
import type { Chance } from "../../shared/chance.testkit.ts";
import type { Players } from "./players.ts";
import type { Regions } from "./regions.ts";
import type { Ways } from "./ways.ts";

/** Of 100 players, how many have a client that measures nothing: the stock one of Colyseus. */
const UNMEASURED_PERCENT = 10;
/** A measured round trip is off by so much to either side, and never quite as short as it could be. */
const MEASURED_WITHIN = 0.03;
const MEASURED_LATE_MS = 2;
const NOWHERE = -1;

export interface Books {
  /** By placing, what a player's way is longer than the shortest to a region that is up, ms. */
  readonly addedMs: number[];
  readonly addedUnmeasuredMs: number[];
  readonly addedReplacedMs: number[];
  returns: number;
  moves: number;
  flaps: number;
  refused: number;
}

export interface PlacingParts {
  readonly players: Players;
  readonly ways: Ways;
  readonly regions: Regions;
  readonly rank: typeof rank;
  readonly chance: Chance;
}

export class Placing {
  readonly #parts: PlacingParts;
  readonly #regionIndex: ReadonlyMap<string, number>;
  readonly #measures: Uint8Array;
  /** Region in which each player is, or was last. */
  readonly #last: Int8Array;
  readonly #lastS: Uint32Array;
  /** Regions that took players then, a bit each. */
  readonly #lastOpen: Int32Array;
  readonly #roundTripsMs: Record<string, number> = {};
  books = emptyBooks();

  constructor(parts: PlacingParts) {
    this.#parts = parts;
    const { players, regions, chance } = parts;
    this.#regionIndex = new Map(regions.specs.map(({ id }, index) => [id, index]));
    this.#last = new Int8Array(players.count).fill(NOWHERE);
    this.#lastS = new Uint32Array(players.count);
    this.#lastOpen = new Int32Array(players.count);
    this.#measures = new Uint8Array(players.count);
    for (let player = 0; player < players.count; player += 1) {
      this.#measures[player] = chance.below(100) < UNMEASURED_PERCENT ? 0 : 1;
    }
  }

  /** Begins new books. */
  openBooks(): void {
    this.books = emptyBooks();
  }

  /**
   * @param replaced whether the player's region was lost just now
   * @returns the region where the player is from now on; undefined for none
   */
  place(player: number, nowS: number, replaced = false): number | undefined {
    const { regions, rank } = this.#parts;
    const ranked = rank(regions.candidates, this.#request(player, nowS));
    const [best] = ranked;
    if (!best?.eligible) {
      this.books.refused += 1;
      return undefined;
    }
    const region = this.#indexOf(best);
    const open = ranked.reduce(
      (bits, one) => (one.eligible ? bits | (1 << this.#indexOf(one)) : bits),
      0,
    );
    this.#note(player, region, { nowS, replaced, open });
    this.#last[player] = region;
    this.#lastS[player] = nowS;
    this.#lastOpen[player] = open;
    regions.enter(region, nowS);
    return region;
  }

  #request(player: number, nowS: number): RankingRequest {
    const { players, ways, regions, chance } = this.#parts;
    const home = regions.specs[this.#last[player] ?? NOWHERE]?.id;
    const place = players.placeOf(player);
    if (!this.#measures[player]) return { place, home };
    for (const [region, { id }] of regions.specs.entries()) {
      const off = 1 + MEASURED_WITHIN * (2 * chance.float() - 1);
      const lateMs = MEASURED_LATE_MS * chance.float() ** 2;
      this.#roundTripsMs[id] = ways.roundTripMs(player, region, nowS) * off + lateMs;
    }
    return { place, home, roundTripsMs: this.#roundTripsMs };
  }

  #note(
    player: number,
    region: number,
    { nowS, replaced, open }: { nowS: number; replaced: boolean; open: number },
  ): void {
    const { ways, regions } = this.#parts;
    const { books } = this;
    let idealMs = Number.POSITIVE_INFINITY;
    for (const [other, health] of regions.health.entries()) {
      if (health === "lost") continue;
      idealMs = Math.min(idealMs, ways.roundTripMs(player, other, nowS));
    }
    const addedMs = ways.roundTripMs(player, region, nowS) - idealMs;
    books.addedMs.push(addedMs);
    if (!this.#measures[player]) books.addedUnmeasuredMs.push(addedMs);
    if (replaced) books.addedReplacedMs.push(addedMs);
    const last = this.#last[player] ?? NOWHERE;
    if (last === NOWHERE || replaced) return;
    books.returns += 1;
    if (last === region) return;
    books.moves += 1;
    const wasOpen = ((this.#lastOpen[player] ?? 0) >> region) & 1;
    const isOpen = (open >> last) & 1;
    if (!wasOpen || !isOpen) return;
    const behindMs = (atS: number) =>
      ways.roundTripMs(player, last, atS) - ways.roundTripMs(player, region, atS);
    if (behindMs(nowS) - behindMs(this.#lastS[player] ?? 0) <= HOME_MS) books.flaps += 1;
  }

  #indexOf({ candidate }: Ranked): number {
    return this.#regionIndex.get(candidate.regionId) ?? NOWHERE;
  }
}

function emptyBooks(): Books {
  return {
    addedMs: [],
    addedUnmeasuredMs: [],
    addedReplacedMs: [],
    returns: 0,
    moves: 0,
    flaps: 0,
    refused: 0,
  };
}
