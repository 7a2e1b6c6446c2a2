/**
 * Rankings of thirty regions on one core, for players all over the world, against what the simplest ranking would
 * do: compute thirty distances and sort them, nearest first.
 */
import { arcKm, onSphere } from "../../../core/gslb/great-circle.ts";
import { type RankingRequest, rank } from "../../../core/gslb/ranking.ts";
import { registryStep } from "../../../core/regions/registry-step.ts";
import { Chance } from "../../../shared/chance.testkit.ts";
import { Regions } from "../../../test/gslb-day/regions.ts";
import { SITE_COUNT, specsOf } from "../../../test/gslb-day/sites.ts";
import { alternate, type BenchmarkOptions, rounded } from "../benchmark.ts";

const CAPACITY = 1_000;
const PLAYERS = 1_024;
const ROUND_TRIP_MS_MAX = 300;

export interface Decisions {
  /** Each by its distances only. */
  readonly decisionsPerS: number;
  /** Each with the client's own measurements. */
  readonly decisionsMeasuredPerS: number;
  readonly nearestOnlyPerS: number;
  readonly ratioToNearestOnly: number;
  readonly ratioToNearestOnlyMeasured: number;
}

export function measureDecisions({ quick, say }: BenchmarkOptions): Decisions {
  const chance = new Chance(1);
  const regions = new Regions(specsOf(new Array(SITE_COUNT).fill(CAPACITY)), registryStep);
  // Loads of all kinds: the order is another one than that of distances.
  for (const region of regions.online.keys()) regions.online[region] = chance.below(CAPACITY);
  regions.beat(0);
  const { candidates } = regions;
  const players = Array.from({ length: PLAYERS }, () => playerOf(regions, chance));
  const measured = players.map((player) => ({ ...player, roundTripsMs: waysOf(regions, chance) }));
  const points = players.map(({ place }) => onSphere(place));
  let turn = 0;
  const next = <T>(all: readonly T[]): T => {
    turn = (turn + 1) % all.length;
    return all[turn] as T;
  };
  const medians = alternate(
    [
      { name: "estimated", once: () => requireSome(rank(candidates, next(players))) },
      { name: "measured", once: () => requireSome(rank(candidates, next(measured))) },
      {
        name: "nearestOnly",
        once: () => {
          const from = next(points);
          const ways = candidates.map((one) => ({ one, km: arcKm(from, one.point) }));
          requireSome(ways.sort((a, b) => a.km - b.km));
        },
      },
    ],
    quick ? 9 : 21,
    quick ? 300 : 1_000,
  );
  const perS = (name: string) => Math.round(1_000_000 / (medians.get(name) ?? Number.NaN));
  const [decisionsPerS, decisionsMeasuredPerS] = [perS("estimated"), perS("measured")];
  const nearestOnlyPerS = perS("nearestOnly");
  say(
    `${decisionsPerS} decisions a second, ${decisionsMeasuredPerS} with measurements, ` +
      `${nearestOnlyPerS} by the nearest only`,
  );
  return {
    decisionsPerS,
    decisionsMeasuredPerS,
    nearestOnlyPerS,
    ratioToNearestOnly: rounded(decisionsPerS / nearestOnlyPerS),
    ratioToNearestOnlyMeasured: rounded(decisionsMeasuredPerS / nearestOnlyPerS),
  };
}

function playerOf(regions: Regions, chance: Chance): RankingRequest {
  const place = { latitude: chance.below(130) - 60, longitude: chance.below(360) - 180 };
  return { place, home: chance.of(regions.specs).id };
}

function waysOf({ specs }: Regions, chance: Chance): Record<string, number> {
  return Object.fromEntries(specs.map(({ id }) => [id, ROUND_TRIP_MS_MAX * chance.float()]));
}

/** What is not looked at may be left out by the compiler. */
function requireSome(ranked: readonly unknown[]): void {
  if (ranked[0] === undefined) throw new Error("nothing was ranked");
}
