/**
 * Worlds of failovers, each from one seed: what must always hold does, on every step and at the end.
 * `node test/simulation/main.ts --failover --seed N` repeats one that failed, with everything that happened in it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { cases, testSeed } from "../../../shared/chance.testkit.ts";
import { FAULTS } from "./faults.ts";
import { noisyHour } from "./noisy-hour.ts";
import { simulate } from "./simulate.ts";

const SEEDS = cases(400, 100_000);
/** The same worlds in every test run; new ones in every soak. */
const FIRST_SEED = cases(1, testSeed());
const REPEATED = 5;

test("no failover breaks an invariant, and every fault is among them", (t) => {
  const seen = new Set<string>();
  let failovers = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed += 1) {
    const outcome = simulate({ seed });
    assert.equal(outcome.violation?.message, undefined, `seed ${seed}`);
    for (const fault of outcome.faults) seen.add(fault);
    failovers += outcome.failovers;
  }
  t.diagnostic(`${SEEDS} seeds from ${FIRST_SEED} on, ${failovers} failovers`);
  assert.deepEqual(
    FAULTS.filter((fault) => !seen.has(fault)),
    [],
  );
});

test("in an hour of noisy links nobody is taken for dead", () => {
  const hour = noisyHour(FIRST_SEED);
  assert.deepEqual(hour, { falseFailovers: 0, story: undefined }, `seed ${FIRST_SEED}`);
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
