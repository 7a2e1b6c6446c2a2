import assert from "node:assert/strict";
import { test } from "node:test";
import { neighboursOf } from "./neighbours.ts";
import { heard, run, spec, tick } from "./registry.testkit.ts";

const names = (list: readonly { readonly regionId: string }[]) =>
  list.map(({ regionId }) => regionId);

test("without measurements the nearest on the map are the neighbours, all others in order", () => {
  const { region, regions } = run([]);
  const found = neighboursOf(region("beijing"), regions);
  assert.deepEqual(names(found), ["tianjin", "shanghai", "shenzhen"]);
  assert.ok(found.every(({ measured }) => !measured));
});

test("measured round trips win, the smaller of both directions, also of nodes that are down", () => {
  const { region, regions } = run([
    [0, heard("beijing", { probes: { tianjin: 80.04, shanghai: 90 } })],
    [0, heard("beijing", { probes: { tianjin: 70 } }, 2)],
    [0, heard("shanghai", { probes: { beijing: 20 } })],
    [9_000, tick],
  ]);
  assert.deepEqual(neighboursOf(region("beijing"), regions), [
    { regionId: "shanghai", roundTripMs: 20, measured: true },
    { regionId: "shenzhen", roundTripMs: 43.9, measured: false },
    { regionId: "tianjin", roundTripMs: 70, measured: true },
  ]);
  assert.deepEqual(names(neighboursOf(region("tianjin"), regions)).at(-1), "beijing");
});

test("round trips that hardly differ don't swap neighbours: the nearer on the map is first", () => {
  const noisy = { probes: { tianjin: 1.9, shanghai: 0.4, shenzhen: 1.1 } };
  const { region, regions } = run([[0, heard("beijing", noisy)]]);
  assert.deepEqual(names(neighboursOf(region("beijing"), regions)), [
    "tianjin",
    "shanghai",
    "shenzhen",
  ]);
});

test("a region that claims to be next to everybody is no nearer than light allows", () => {
  const { region, regions } = run([
    [0, heard("beijing", { probes: { shanghai: 18, tianjin: 3 } })],
    [0, heard("shenzhen", { probes: { beijing: 0, tianjin: 0, shanghai: 0 } })],
  ]);
  assert.deepEqual(names(neighboursOf(region("beijing"), regions)), [
    "tianjin",
    "shanghai",
    "shenzhen",
  ]);
});

test("given neighbours are taken as given, and those that went since are left out", () => {
  const given = spec("beijing", { neighbours: ["shenzhen", "tianjin"] });
  const { region, regions } = run([], [given, spec("shenzhen"), spec("shanghai")]);
  assert.deepEqual(names(neighboursOf(region("beijing"), regions)), ["shenzhen"]);
});
