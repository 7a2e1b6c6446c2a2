import assert from "node:assert/strict";
import { test } from "node:test";
import { type Filling, fill } from "./fill.ts";

const benchmark = {
  name: "rooms",
  goals: [{ figure: "ratio", words: "CPU against a bare loop", atMost: 1.15 }],
};
const figures = {
  ratio: 1.46,
  cpu: { meridian: 410.4, bare: null },
  byCallers: { "64": { perS: 1347.26 } },
  share: 0.234,
  tookMs: 1253,
  bytes: 40_123,
  changePct: 56.85,
  steps: ["POST /v1/guests", "the websocket"],
  isVoid: false,
};
const filled = (template: string, run: Filling["run"] = { figures, quick: false }) =>
  fill(template, { benchmark, run });

test("a placeholder becomes the figure, written as its size deserves", () => {
  assert.equal(filled("a {{ratio}} b {{cpu.meridian}} c"), "a 1.46 b 410 c");
  assert.equal(filled("{{byCallers.64.perS}}, {{changePct}}"), "1,347, 56.9");
  assert.equal(
    filled("{{cpu.bare}}; {{steps}}; {{isVoid}}"),
    "not known; POST /v1/guests, the websocket; no",
  );
});

test("a format says how a number is written", () => {
  assert.equal(filled("{{ratio:1}} {{share:%}} {{tookMs:s}}"), "1.5 23% 1.25");
  assert.equal(filled("{{bytes:KB}} {{changePct:+}}"), "40.1 +56.9");
});

test("a goal says whether it is met", () => {
  assert.equal(filled("{{goal ratio}}"), "goal: at most 1.15, **missed**");
  const run = { figures: { ratio: 1.15 }, quick: true };
  assert.equal(filled("{{goal ratio}}", run), "goal: at most 1.15, met");
});

test("what was not measured shows no figure", () => {
  const template = "{{ratio}} {{goal ratio}} {{share:%}}";
  const expected = "– goal: at most 1.15, not measured yet –";
  assert.equal(fill(template, { benchmark, run: undefined }), expected);
});

test("a name that the run lacks is an error that names both, and so is anything else that can't be filled", () => {
  const wrong = (template: string) => () => filled(template);
  assert.throws(wrong("{{cpu.colyseus}}"), /"rooms" has {{cpu\.colyseus}}: its run has no/);
  assert.throws(wrong("{{cpu.constructor}}"), /its run has no/);
  assert.throws(wrong("{{cpu}}"), /"rooms" has {{cpu}}: not one figure/);
  assert.throws(wrong("{{goal cpu.meridian}}"), /there is no goal/);
  assert.throws(wrong("{{ratio:miles}}"), /there is no format "miles"/);
  assert.throws(wrong("{{steps:0}}"), /is for numbers/);
  assert.throws(wrong("{{two words}}"), /not a placeholder/);
  const unmeasured = () => fill("{{goal nothing}}", { benchmark, run: undefined });
  assert.throws(unmeasured, /there is no goal/);
});
