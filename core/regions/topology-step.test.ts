import assert from "node:assert/strict";
import { test } from "node:test";
import type { Epoch } from "../../shared/epoch.ts";
import { RegionId } from "../../shared/ids.ts";
import { GRACE_MS } from "../../shared/protocol/link.ts";
import type { Wanted } from "./fence-step.ts";
import { regionStateOf, wantedOf } from "./region-view.ts";
import { all, heard, run, spec, tick } from "./registry.testkit.ts";
import type { RegistryEvent } from "./registry-step.ts";
import type { RegionSpec } from "./topology.ts";
import type { TopologyEvent } from "./topology-step.ts";

function topology(
  specs: readonly RegionSpec[],
  lives: readonly (readonly [string, Epoch, Wanted])[] = [],
): TopologyEvent {
  const known = lives.map(
    ([id, epoch, wanted]) => [RegionId.parse(id), { epoch, wanted }] as const,
  );
  return { type: "topology", specs, lives: new Map(known) };
}

test("regions that stay keep what is known of them, under the new description", () => {
  const life: RegistryEvent = { type: "epoch", regionId: RegionId.parse("beijing"), epoch: [1, 3] };
  const heavier = [spec("shenzhen"), spec("beijing", { weight: 3 })];
  const { region, regions, effects } = run([
    [0, heard("beijing")],
    [1, life],
    [GRACE_MS, tick],
    [GRACE_MS, heard("beijing", { sequence: 2 })],
    [GRACE_MS + 1, topology(heavier)],
  ]);
  const { spec: described, epoch, nodes } = region("beijing");
  assert.deepEqual([described.weight, epoch, nodes.size], [3, [1, 3], 1]);
  assert.deepEqual(
    regions.map((one) => one.spec.id),
    ["shenzhen", "beijing"],
    "in the order of the file",
  );
  assert.deepEqual(
    effects.map((effect) => effect.type === "nodesKnown" && [effect.regionId, effect.nodeIds]),
    [
      ["tianjin", []],
      ["shanghai", []],
    ],
    "the rooms of those that went end",
  );
});

test("new regions begin as the database knows them, or with nothing", () => {
  const [beijing] = all;
  assert.ok(beijing);
  const { region } = run([[5_000, topology(all, [["tianjin", [2, 4], "fenced"]])]], [beijing]);
  assert.deepEqual([region("tianjin").epoch, regionStateOf(region("tianjin"))], [[2, 4], "fenced"]);
  assert.deepEqual([region("shanghai").epoch, region("shanghai").wanted], [[0, 0], "active"]);
  assert.equal(region("shanghai").unheardUntilMs, 5_000 + GRACE_MS, "its nodes get their time");
});

test("a region with nodes that live, or may live, does not go, and nothing else changes", () => {
  const [beijing, ...others] = all;
  assert.ok(beijing);
  const less: RegistryEvent = topology([spec("tianjin", { weight: 9 })]);
  const refusal = (events: readonly (readonly [number, RegistryEvent])[]) => {
    const { effects, region } = run(events);
    assert.equal(region("tianjin").spec.weight, 1, "nothing of it was taken");
    const [effect, ...more] = effects;
    assert.ok(effect?.type === "refuse" && more.length === 0);
    return effect.message;
  };
  assert.match(refusal([[0, less]]), /^beijing may have nodes that were not heard yet/);
  const later: readonly (readonly [number, RegistryEvent])[] = [
    [GRACE_MS, tick],
    [GRACE_MS, heard("beijing")],
  ];
  assert.match(
    refusal([...later, [GRACE_MS, less]]),
    /^beijing still has 1 live node: drain and stop it first$/,
  );
  assert.match(
    refusal([...later, [GRACE_MS, heard("beijing", {}, 2)], [GRACE_MS, less]]),
    /^beijing still has 2 live nodes: drain and stop them first$/,
  );
  const dead = run([...later, [2 * GRACE_MS, tick], [2 * GRACE_MS, topology(others)]]);
  assert.deepEqual(
    dead.effects.map(({ type }) => type),
    ["nodeForgotten", "nodesKnown"],
    "its dead nodes go with it",
  );
  assert.equal(dead.regions.length, 3);
});

test("the plan and an operator both drain a region; a fence wins over either", () => {
  const draining = spec("beijing", { state: "draining" });
  const wants = (wanted: Wanted, planned: RegionSpec = draining) => {
    const event = { type: "wanted", regionId: planned.id, wanted } as const;
    const found = run(
      [
        [0, heard("beijing")],
        [1, event],
      ],
      [planned],
    ).region("beijing");
    return [wantedOf(found), regionStateOf(found)];
  };
  assert.deepEqual(wants("active"), ["draining", "draining"]);
  assert.deepEqual(wants("draining", spec("beijing")), ["draining", "draining"]);
  assert.deepEqual(wants("fenced"), ["fenced", "fenced"]);
  assert.deepEqual(wants("active", spec("beijing")), ["active", "active"]);
});
