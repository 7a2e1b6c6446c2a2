import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  beginSearch,
  type CapacityPlan,
  type CapacitySearch,
  nextOf,
  stepOf,
  stepsMaxOf,
} from "./capacity-step.ts";

const plan = fc
  .record({
    first: fc.integer({ min: 1, max: 500 }),
    more: fc.integer({ min: 0, max: 20_000 }),
    repeats: fc.integer({ min: 3, max: 6 }),
    resolution: fc.double({ min: 0.01, max: 0.5, noNaN: true }),
  })
  .map(({ first, more, ...rest }): CapacityPlan => ({ first, most: first + more, ...rest }));

interface Searched {
  readonly players: number;
  readonly broke: boolean;
  readonly search: CapacitySearch;
  readonly tried: readonly { readonly players: number; readonly held: boolean }[];
}

/** @param holds by how many players, and in which round */
function run(plan: CapacityPlan, holds: (players: number, round: number) => boolean): Searched {
  let search = beginSearch(plan);
  const tried: { players: number; held: boolean }[] = [];
  for (;;) {
    const next = nextOf(search);
    if (next.kind === "limit") return { ...next, search, tried };
    assert.ok(tried.length < stepsMaxOf(plan), `more than ${stepsMaxOf(plan)} steps`);
    assert.ok(next.players >= 1 && next.players <= plan.most);
    const held = holds(next.players, search.limits.length);
    tried.push({ players: next.players, held });
    search = stepOf(search, held);
  }
}

test("a true limit is found within the resolution, in a bounded number of steps", () => {
  fc.assert(
    fc.property(plan, fc.integer({ min: 0, max: 30_000 }), (plan, limit) => {
      const { players, broke } = run(plan, (tried) => tried <= limit);
      assert.ok(players <= limit, "it has held");
      const reached = Math.min(limit, plan.most);
      const apart = Math.max(1, Math.floor((reached + 1) / (1 - plan.resolution) - reached));
      assert.ok(reached - players <= apart, `${players} of ${reached}, ${apart} apart`);
      assert.equal(broke, players < plan.most);
    }),
  );
});

test("of rounds with different limits the lowest counts, and it held in each", () => {
  const limits = fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 6, maxLength: 6 });
  fc.assert(
    fc.property(plan, limits, (plan, limits) => {
      const { players, search } = run(plan, (tried, round) => tried <= (limits[round] ?? 0));
      assert.equal(players, Math.min(...search.limits));
      for (const limit of limits.slice(0, plan.repeats)) assert.ok(players <= limit);
    }),
  );
});

test("whatever a service does, the search ends, and its limit was never seen to break alone", () => {
  fc.assert(
    fc.property(plan, fc.infiniteStream(fc.boolean()), (plan, dice) => {
      const { players, tried, search } = run(plan, () => dice.next().value ?? false);
      assert.equal(search.limits.length, plan.repeats);
      if (players > 0) assert.ok(tried.some((one) => one.players === players && one.held));
    }),
  );
});

test("after the first break what lies between is halved; later rounds try the limit again", () => {
  const plan = { first: 20, most: 10_000, repeats: 3, resolution: 0.1 };
  const { players, tried } = run(plan, (tried) => tried <= 130);
  assert.equal(players, 130);
  assert.deepEqual(
    tried.map((one) => one.players),
    [20, 40, 80, 160, 120, 140, 130, 130, 130],
  );
});

test("a region that serves nobody well has the limit 0", () => {
  const { players } = run({ first: 8, most: 100, repeats: 3, resolution: 0.1 }, () => false);
  assert.equal(players, 0);
});
