import assert from "node:assert/strict";
import { test } from "node:test";
import type { RegistryState } from "../regions/registry-step.ts";
import { Candidates } from "./candidates.ts";
import { arena, plain, regionOf } from "./regions.testkit.ts";

const beijing = regionOf(plain);
const shanghai = regionOf({ ...plain, id: "shanghai" });

function stateOf(...records: readonly (typeof beijing)[]): RegistryState {
  return new Map(records.map((record) => [record.spec.id, record]));
}

test("each wish has candidates of its own, however alike two are", () => {
  const candidates = new Candidates(() => state);
  const state = stateOf(beijing);
  const wishes = [
    [{ game: arena, protocol: 1, build: "" }, "it runs another version than the client"],
    [{ game: arena, protocol: 1 }, undefined],
    [{ game: arena, protocol: 1, build: "test" }, undefined],
    [{ game: arena, protocol: 2 }, "it runs another version than the client"],
    [{ game: arena }, undefined],
    [{}, undefined],
  ] as const;
  for (const [wish, obstacle] of wishes) {
    assert.equal(candidates.for(wish)[0]?.obstacle, obstacle, JSON.stringify(wish));
  }
});

test("only what changed is made anew", () => {
  let state = stateOf(beijing, shanghai);
  const candidates = new Candidates(() => state);
  const before = candidates.for({});
  assert.equal(candidates.for({}), before, "nothing changed");
  state = stateOf(beijing, { ...shanghai, wanted: "fenced" });
  const after = candidates.for({});
  assert.equal(after[0], before[0]);
  assert.match(after[1]?.obstacle ?? "", /^fenced/);
  state = stateOf({ ...shanghai, wanted: "fenced" });
  assert.deepEqual(
    candidates.for({}).map(({ regionId }) => regionId),
    ["shanghai"],
  );
});
