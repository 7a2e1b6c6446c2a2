/** The simulator finds mistakes: each that was planted, from seed 1 on, within a bounded number of seeds. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PLANTED_BUGS } from "./planted-bugs.ts";
import { simulate } from "./simulate.ts";

const SEEDS = 1_500;

for (const { name, parts } of PLANTED_BUGS) {
  test(`found: ${name}`, (t) => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { violation } = simulate({ seed, parts });
      if (!violation) continue;
      t.diagnostic(`seed ${seed}: ${violation.invariant}`);
      return;
    }
    assert.fail(`not found within ${SEEDS} seeds`);
  });
}
