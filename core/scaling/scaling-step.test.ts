import assert from "node:assert/strict";
import { test } from "node:test";
import { RegionId } from "../../shared/ids.ts";
import { explain } from "./explain.ts";
import {
  type RegionSample,
  type Sample,
  type ScalingSettings,
  type ScalingState,
  scalingStep,
} from "./scaling-step.ts";

const beijing = RegionId.parse("beijing");
const shanghai = RegionId.parse("shanghai");
const settings: ScalingSettings = {
  fill: 0.8,
  calmFill: 0.5,
  coolDownMs: 60_000,
  leadMs: 20_000,
  nPlusOne: false,
};
const plain: RegionSample = {
  regionId: beijing,
  bounds: { min: 1, max: 4 },
  leftAlone: undefined,
  running: 1,
  seatsPerNode: 100,
  players: 0,
  waiting: 0,
};

type Step = readonly [atS: number, change: Partial<RegionSample>];

/** Beijing's decision after these samples, and in words. */
function after(
  steps: readonly Step[],
  { others = [], nPlusOne = false }: { others?: RegionSample[]; nPlusOne?: boolean } = {},
) {
  let state: ScalingState = new Map();
  let nowMs = 0;
  const own = { ...settings, nPlusOne };
  for (const [atS, change] of steps) {
    nowMs = atS * 1_000;
    const sample: Sample = { regions: [{ ...plain, ...change }, ...others], headroom: 0 };
    [state] = scalingStep(state, sample, own, nowMs);
  }
  const scaling = state.get(beijing);
  assert.ok(scaling);
  return { wanted: scaling.wanted, reason: scaling.reason, why: explain(scaling, own, nowMs) };
}

test("a node is added when players take more than their share, or when some wait", () => {
  const two = after([[0, { players: 81 }]]);
  assert.deepEqual([two.wanted, two.reason], [2, "steady"], "what runs when it is met is its need");
  const load = after([
    [0, {}],
    [3_600, { players: 81 }],
  ]);
  assert.deepEqual([load.wanted, load.reason], [2, "load"]);
  assert.equal(load.why, "2 nodes: 81 play, 0 wait; at 80% of 100 seats a node they take 2 nodes.");
  const queue = after([
    [0, {}],
    [3_600, { players: 70, waiting: 20 }],
  ]);
  assert.deepEqual([queue.wanted, queue.reason], [2, "queue"]);
});

test("growth is looked ahead by as long as a node takes to start", () => {
  const steps = Array.from({ length: 12 }, (_, step): Step => [step * 5, { players: step * 6 }]);
  const trend = after(steps);
  assert.deepEqual([trend.wanted, trend.reason], [2, "trend"], trend.why);
  assert.match(trend.why, /^2 nodes: 66 play, 0 wait, 1\d more before a node is up \(0\.\d\/s\);/);
});

test("a lone region runs one node more than its players need; two are ready for each other", () => {
  const alone = after(
    [
      [0, {}],
      [10, { players: 1 }],
    ],
    { nPlusOne: true },
  );
  assert.deepEqual([alone.wanted, alone.reason], [2, "n_plus_1"]);
  assert.match(alone.why, /No other region would take its players/);
  const other = { ...plain, regionId: shanghai, players: 150, running: 2 };
  const two = after(
    [
      [0, {}],
      [10, { players: 20 }],
    ],
    { nPlusOne: true, others: [other] },
  );
  assert.deepEqual([two.wanted, two.reason], [2, "steady"]);
  assert.match(two.why, /If shanghai is lost, 150 of its players come, which takes 2 nodes\.$/);
  const gone = { ...other, leftAlone: "it is down" };
  assert.equal(
    after(
      [
        [0, {}],
        [10, {}],
      ],
      { nPlusOne: true, others: [gone] },
    ).wanted,
    1,
  );
});

test("fewer only after a whole cool-down of calm, one at a time", () => {
  const calm = (atS: number): Step => [atS, { players: 10, running: 3 }];
  const busy: Step = [0, { players: 200, running: 3 }];
  const waits = after([busy, calm(1), calm(60)]);
  assert.deepEqual([waits.wanted, waits.reason], [3, "cool_down"]);
  assert.match(waits.why, /^3 nodes still, though 1 would do: one goes after 1 s of calm\./);
  const first = after([busy, calm(1), calm(61)]);
  assert.deepEqual([first.wanted, first.reason], [2, "calm"]);
  assert.match(first.why, /^2 nodes, one fewer: 1 have sufficed for 60 s\./);
  assert.equal(after([busy, calm(1), calm(61), calm(120)]).wanted, 2);
  assert.equal(after([busy, calm(1), calm(61), calm(121)]).wanted, 1);
  const again = after([busy, calm(1), [50, { players: 200, running: 3 }], calm(51), calm(100)]);
  assert.equal(again.wanted, 3, "calm begins anew");
});

test("bounds win, and say so", () => {
  const most = after([
    [0, {}],
    [3_600, { players: 1_000 }],
  ]);
  assert.deepEqual([most.wanted, most.reason], [4, "maximum"]);
  assert.match(most.why, /^4 nodes, the most allowed, though 1\d are needed:/);
  const bounds = { min: 2, max: 4 };
  const fewest = after([[0, { bounds }]]);
  assert.deepEqual([fewest.wanted, fewest.reason], [2, "bounds"]);
  const narrowed = after([
    [0, { players: 300 }],
    [1, { players: 0, bounds: { min: 1, max: 2 } }],
  ]);
  assert.deepEqual([narrowed.wanted, narrowed.reason], [2, "bounds"]);
});

test("a region that takes nobody is left as it is, and what left it is no trend", () => {
  const alone = after([
    [0, { players: 150 }],
    [10, { players: 0, leftAlone: "it is drained" }],
  ]);
  assert.deepEqual([alone.wanted, alone.reason], [2, "left_alone"]);
  assert.equal(alone.why, "2 nodes, left as it is: it is drained.");
  const back = after([
    [0, { players: 0, leftAlone: "it is drained" }],
    [5, { players: 50 }],
  ]);
  assert.deepEqual([back.wanted, back.reason], [1, "steady"]);
  const unknown = after([[0, { seatsPerNode: undefined }]]);
  assert.match(unknown.why, /^1 node, left as it is: nobody knows yet how many seats/);
});
