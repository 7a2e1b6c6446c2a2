/**
 * The true round trips between players and regions, which nobody in the simulated world knows. Light in
 * straight fibre takes 1 ms for 100 km there and back; a provider's way to a region is longer than that by a
 * factor of its own (1.9 in the median, 3.4 for one in a hundred), has a detour, and a player's last mile is
 * added. Ways get worse for some hours, two hundred a day, and half of these are a provider's shortest one.
 *
 * That the ranking's estimate has nearly the same median (2.0) is no favour: it was taken from measurements.
 */
import { arcKm, onSphere } from "../../core/gslb/great-circle.ts";
import type { RegionSpec } from "../../core/regions/topology.ts";
import type { Chance } from "../../shared/chance.testkit.ts";
import { exponential, logNormal, normal } from "./draws.ts";
import type { Players } from "./players.ts";

const MS_PER_KM = 0.01;
const LAST_MILE_MS = 6;
const LAST_MILE_SIGMA = 0.6;
const DETOUR_MS = 2;
/** By how much players of one provider differ. */
const PLAYER_SIGMA = 0.05;
const TROUBLES_PER_DAY = 200;
const TROUBLE_MIN_MS = 20;
const TROUBLE_MORE_MS = 30;
const TROUBLE_MIN_S = 1_800;
const TROUBLE_MAX_S = 14_400;
const DAY_S = 86_400;

interface Trouble {
  readonly fromS: number;
  readonly toS: number;
  readonly ms: number;
}

export class Ways {
  readonly #regions: number;
  readonly #players: Players;
  /** By player and region, in good times, ms. */
  readonly #usualMs: Float32Array;
  /** By provider and region. */
  readonly #troubles = new Map<number, Trouble[]>();

  constructor(players: Players, specs: readonly RegionSpec[], chance: Chance) {
    this.#players = players;
    this.#regions = specs.length;
    this.#usualMs = usualWays(players, specs, chance);
  }

  /** Draws what goes wrong between these times. */
  addTroubles(fromS: number, toS: number, chance: Chance): void {
    const count = Math.round((TROUBLES_PER_DAY * (toS - fromS)) / DAY_S);
    for (let n = 0; n < count; n += 1) {
      const player = chance.below(this.#players.count);
      const region = chance.once(2) ? chance.below(this.#regions) : this.bestUsual(player);
      const startS = fromS + chance.below(toS - fromS);
      const key = this.#key(player, region);
      const list = this.#troubles.get(key) ?? [];
      this.#troubles.set(key, list);
      list.push({
        fromS: startS,
        toS: startS + TROUBLE_MIN_S + chance.below(TROUBLE_MAX_S - TROUBLE_MIN_S),
        ms: TROUBLE_MIN_MS + exponential(chance, TROUBLE_MORE_MS),
      });
    }
  }

  roundTripMs(player: number, region: number, atS: number): number {
    const usualMs = this.#usualMs[player * this.#regions + region] ?? Number.NaN;
    const troubles = this.#troubles.get(this.#key(player, region));
    if (!troubles) return usualMs;
    return troubles.reduce(
      (sum, { fromS, toS, ms }) => sum + (atS >= fromS && atS < toS ? ms : 0),
      usualMs,
    );
  }

  /** The region with the shortest way when all is well. */
  bestUsual(player: number): number {
    const from = player * this.#regions;
    const row = this.#usualMs.subarray(from, from + this.#regions);
    return row.indexOf(row.reduce((a, b) => Math.min(a, b)));
  }

  #key(player: number, region: number): number {
    return (this.#players.networkOf[player] ?? 0) * this.#regions + region;
  }
}

function usualWays(players: Players, specs: readonly RegionSpec[], chance: Chance): Float32Array {
  const pairs = Array.from({ length: players.networks * specs.length }, () => ({
    msPerKm: MS_PER_KM * (1.2 + logNormal(chance, 0.7, 0.5)),
    detourMs: exponential(chance, DETOUR_MS),
  }));
  const points = specs.map(onSphere);
  const ways = new Float32Array(players.count * specs.length);
  for (const [player, place] of players.truth.entries()) {
    const from = onSphere(place);
    const lastMileMs = logNormal(chance, LAST_MILE_MS, LAST_MILE_SIGMA);
    const network = (players.networkOf[player] ?? 0) * specs.length;
    for (const [region, point] of points.entries()) {
      const pair = pairs[network + region];
      if (!pair) continue;
      const routeMs = arcKm(from, point) * pair.msPerKm + pair.detourMs;
      const own = Math.max(0.5, 1 + PLAYER_SIGMA * normal(chance));
      ways[player * specs.length + region] = lastMileMs + routeMs * own;
    }
  }
  return ways;
}
