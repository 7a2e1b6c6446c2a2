/** What must hold of every decision, over generated worlds and days. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Chance, cases, testSeed } from "../../shared/chance.testkit.ts";
import { RegionId } from "../../shared/ids.ts";
import {
  type RegionSample,
  type Sample,
  type ScalingSettings,
  type ScalingState,
  scalingStep,
} from "./scaling-step.ts";

const WORLDS = cases(150, 10_000);
const STEPS = 120;
const PERIOD_MS = 5_000;

const NAMES = ["beijing", "shanghai", "tokyo", "london", "paris"].map((id) => RegionId.parse(id));

interface World {
  readonly settings: ScalingSettings;
  readonly headroom: number;
  readonly regions: RegionSample[];
}

function worldOf(chance: Chance): World {
  const fill = 0.5 + chance.float() / 2;
  const settings: ScalingSettings = {
    fill,
    calmFill: fill * (0.5 + chance.float() * 0.4),
    coolDownMs: PERIOD_MS * (1 + chance.below(30)),
    leadMs: chance.of([0, 10_000, 60_000]),
    nPlusOne: !chance.once(3),
  };
  const regions = NAMES.slice(0, 1 + chance.below(NAMES.length)).map((regionId) => {
    const min = 1 + chance.below(3);
    const max = min + chance.below(20);
    return {
      regionId,
      bounds: { min, max },
      leftAlone: undefined,
      running: min + chance.below(max - min + 1),
      seatsPerNode: 1 + chance.below(500),
      players: 0,
      waiting: 0,
    };
  });
  return { settings, headroom: chance.of([0, 0.2, 0.5]), regions };
}

/** Load that wanders, jumps and drops. */
function wander(region: RegionSample, chance: Chance): RegionSample {
  const most = (region.seatsPerNode ?? 1) * region.bounds.max;
  const players = chance.once(15)
    ? chance.below(Math.ceil(most * 1.5))
    : Math.max(0, Math.round(region.players + (chance.float() - 0.5) * 0.1 * most));
  const waiting = chance.once(4) ? chance.below(Math.ceil(most / 4) + 1) : 0;
  const leftAlone = chance.once(40) ? "it is drained" : undefined;
  return { ...region, players, waiting, leftAlone };
}

/** Calls back after each step of a random day. */
function live(
  chance: Chance,
  look: (now: {
    world: World;
    sample: Sample;
    before: ScalingState;
    after: ScalingState;
    nowMs: number;
  }) => void,
): void {
  const world = worldOf(chance);
  let state: ScalingState = new Map();
  let regions = world.regions;
  for (let step = 0; step < STEPS; step += 1) {
    const nowMs = step * PERIOD_MS;
    regions = regions.map((region) => {
      const running = state.get(region.regionId)?.wanted ?? region.running;
      return { ...wander(region, chance), running };
    });
    const sample = { regions, headroom: world.headroom };
    const [after] = scalingStep(state, sample, world.settings, nowMs);
    look({ world, sample, before: state, after, nowMs });
    state = after;
  }
}

function each(name: string, check: (chance: Chance, seed: number) => void): void {
  test(name, (t) => {
    const seed = testSeed();
    t.diagnostic(`seed ${seed}`);
    for (let world = 0; world < WORLDS; world += 1) check(new Chance(seed + world), seed + world);
  });
}

const of = (state: ScalingState, { regionId }: RegionSample) => {
  const scaling = state.get(regionId);
  assert.ok(scaling);
  return scaling;
};

each("bounds always hold", (chance, seed) => {
  live(chance, ({ sample, after }) => {
    for (const region of sample.regions) {
      const { wanted } = of(after, region);
      const { min, max } = region.bounds;
      assert.ok(wanted >= min && wanted <= max, `seed ${seed}: ${wanted} of ${min} to ${max}`);
    }
  });
});

each(
  "what is wanted never falls within a cool-down of any change, and by one node at a time",
  (chance, seed) => {
    const changedMs = new Map<RegionId, number>();
    live(chance, ({ world, sample, before, after, nowMs }) => {
      for (const region of sample.regions) {
        const { regionId } = region;
        const { wanted } = of(after, region);
        const was = before.get(regionId)?.wanted;
        if (was === wanted) continue;
        if (was !== undefined && wanted < was) {
          const sinceMs = nowMs - (changedMs.get(regionId) ?? 0);
          assert.ok(sinceMs >= world.settings.coolDownMs, `seed ${seed}: fell after ${sinceMs} ms`);
          assert.equal(was - wanted, 1, `seed ${seed}`);
        }
        changedMs.set(regionId, nowMs);
      }
    });
  },
);

each(
  "whoever plays or waits has a seat, and still has one when any region or node is lost",
  (chance, seed) => {
    live(chance, ({ world, sample, after }) => {
      const open = sample.regions.filter(({ leftAlone }) => leftAlone === undefined);
      const within = (region: RegionSample) => {
        const { need } = of(after, region);
        return need !== undefined && need.up <= region.bounds.max;
      };
      const seats = (region: RegionSample) => of(after, region).wanted * (region.seatsPerNode ?? 0);
      const demand = ({ players, waiting }: RegionSample) => players + waiting;
      const sum = (of: (region: RegionSample) => number, without?: RegionSample) =>
        open.reduce((total, region) => total + (region === without ? 0 : of(region)), 0);
      for (const region of open.filter(within)) {
        const forEveryone = seats(region) * (1 - world.headroom);
        assert.ok(forEveryone + 1e-6 >= demand(region), `seed ${seed}: no seat for everyone`);
      }
      if (!world.settings.nPlusOne || !open.every(within)) return;
      for (const region of open) {
        if (demand(region) === 0) continue;
        const node = region.seatsPerNode ?? 0;
        // Without one node, all who played there find seats in the region and its neighbours.
        assert.ok(sum(seats) - node + 1e-6 >= sum(demand), `seed ${seed}: a node is lost`);
        if (open.length === 1) continue;
        assert.ok(sum(seats, region) + 1e-6 >= sum(demand), `seed ${seed}: a region is lost`);
      }
    });
  },
);

each(
  "without any load each region goes down to its fewest nodes, and stays there",
  (chance, seed) => {
    let last: { world: World; state: ScalingState } | undefined;
    live(chance, ({ world, after }) => {
      last = { world, state: after };
    });
    assert.ok(last);
    let { state } = last;
    const { settings, regions: all, headroom } = last.world;
    const regions = all.map((region) => ({
      ...region,
      players: 0,
      waiting: 0,
      leftAlone: undefined,
    }));
    const wanted = () => regions.map((region) => of(state, region).wanted);
    const fewest = regions.map(({ bounds }) => bounds.min);
    const stepsMax = 2 + 24 * (settings.coolDownMs / PERIOD_MS + 1);
    for (let step = 0; step < stepsMax; step += 1) {
      const nowMs = (STEPS + step) * PERIOD_MS;
      [state] = scalingStep(state, { regions, headroom }, settings, nowMs);
    }
    assert.deepEqual(wanted(), fewest, `seed ${seed}`);
  },
);

each("more load anywhere never means fewer nodes anywhere", (chance, seed) => {
  live(chance, ({ world, sample, before, nowMs }) => {
    const raised = chance.of(sample.regions);
    const more = { players: chance.below(200), waiting: chance.below(20) };
    const regions = sample.regions.map((region) =>
      region === raised
        ? {
            ...region,
            players: region.players + more.players,
            waiting: region.waiting + more.waiting,
          }
        : region,
    );
    const [less] = scalingStep(before, sample, world.settings, nowMs);
    const [full] = scalingStep(before, { ...sample, regions }, world.settings, nowMs);
    for (const region of sample.regions) {
      const [a, b] = [of(less, region).wanted, of(full, region).wanted];
      assert.ok(b >= a, `seed ${seed}: ${b} nodes for more, ${a} for less`);
    }
  });
});
