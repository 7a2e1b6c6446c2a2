import assert from "node:assert/strict";
import { test } from "node:test";
import type { Goal } from "../benchmark.ts";
import { boundsOf, verdictOf } from "./verdict.ts";

const outcome = (bounds: Partial<Goal>, value: unknown, quick = false) =>
  verdictOf("load", { figure: "a", words: "a", ...bounds }, {
    figures: { a: value },
    quick,
  } as never).outcome;

test("a goal is met at its bound and missed beyond it", () => {
  assert.equal(outcome({ atMost: 1.15 }, 1.15), "met");
  assert.equal(outcome({ atMost: 1.15 }, 1.16), "missed");
  assert.equal(outcome({ atLeast: 0.5 }, 0.5), "met");
  assert.equal(outcome({ atLeast: 0.5 }, 0.49), "missed");
  assert.equal(outcome({ atMost: 0 }, 0), "met");
  assert.equal(outcome({ atMost: 0 }, 1), "missed");
  const between = { atLeast: 0.75, atMost: 1.25 };
  assert.deepEqual(
    [0.74, 0.75, 1.25, 1.26].map((value) => outcome(between, value)),
    ["missed", "met", "met", "missed"],
  );
});

test("a figure that could not be told is a miss", () => {
  assert.equal(outcome({ atMost: 10 }, null), "missed");
});

test("a quick run says nothing about what only a full one can show", () => {
  assert.equal(outcome({ atLeast: 50_000, fullOnly: true }, 5_000, true), "only in a full run");
  assert.equal(outcome({ atLeast: 50_000, fullOnly: true }, 5_000), "missed");
});

test("without a run there is no verdict; a run without the figure is an error that names both", () => {
  const goal = { figure: "a.b", words: "a", atMost: 1 };
  assert.equal(verdictOf("load", goal, undefined).outcome, "not measured yet");
  const run = { figures: { a: 1 }, quick: false };
  assert.throws(() => verdictOf("load", goal, run), /"load" has no number "a.b"/);
});

test("bounds are written with their unit", () => {
  const written = (bounds: Partial<Goal>) => boundsOf({ figure: "a", words: "a", ...bounds });
  assert.equal(written({ atMost: 1_500, unit: "ms" }), "at most 1,500 ms");
  assert.equal(written({ atLeast: 99.9, unit: "%" }), "at least 99.9%");
  assert.equal(written({ atLeast: 0.75, atMost: 1.25 }), "at least 0.75 and at most 1.25");
  assert.equal(written({ atMost: 0 }), "none");
});
