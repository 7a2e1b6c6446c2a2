/**
 * Worlds among faults, each from one seed: what must always hold does, on every step and at the end.
 * `node test/simulation/main.ts --seed N` repeats one that failed, with everything that happened in it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { cases, testSeed } from "../../shared/chance.testkit.ts";
import { CRASH_POINTS } from "./crash-points.ts";
import { FAULTS } from "./faults.ts";
import { simulate } from "./simulate.ts";

const SEEDS = cases(400, 100_000);
/** The same worlds in every test run; new ones in every soak. */
const FIRST_SEED = cases(1, testSeed());
const REPEATED = 10;

test("no seed breaks an invariant, and every fault and crash point is among them", (t) => {
  const first = FIRST_SEED;
  const seen = new Set<string>();
  let steps = 0;
  for (let seed = first; seed < first + SEEDS; seed += 1) {
    const outcome = simulate({ seed });
    assert.equal(outcome.violation?.message, undefined, `seed ${seed}`);
    for (const what of [...outcome.faults, ...outcome.crashed]) seen.add(what);
    steps += outcome.steps;
  }
  t.diagnostic(`${SEEDS} seeds from ${first} on, ${Math.round(steps / SEEDS)} steps each`);
  assert.deepEqual(
    [...FAULTS, ...CRASH_POINTS].filter((what) => !seen.has(what)),
    [],
  );
});

test("a seed repeats byte for byte", () => {
  for (let seed = 1; seed <= REPEATED; seed += 1) {
    const traces = [1, 2].map(() => {
      const lines: string[] = [];
      simulate({ seed, say: (line) => lines.push(line) });
      return lines.join("\n");
    });
    assert.ok((traces[0] ?? "").length > 0);
    assert.equal(traces[0], traces[1], `seed ${seed}`);
  }
});
