/** The simulator finds mistakes: each that was planted, from seed 1 on, within a bounded number of seeds. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PLANTED_BUGS } from "./planted-bugs.ts";
import { simulate } from "./simulate.ts";

const SEEDS = 10_000;

for (const { name, parts, rare } of PLANTED_BUGS) {
  // What takes several faults at once is looked for in the long run only.
  test(`found: ${name}`, { skip: rare && !process.env.SOAK && "found by npm run soak" }, (t) => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { violation } = simulate({ seed, parts });
      if (!violation) continue;
      t.diagnostic(`seed ${seed}: ${violation.invariant}`);
      return;
    }
    assert.fail(`not found within ${SEEDS} seeds`);
  });
}
