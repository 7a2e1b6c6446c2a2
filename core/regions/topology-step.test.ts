import assert from "node:assert/strict";
import { test } from "node:test";
import type { Epoch } from "../../shared/epoch.ts";
import { RegionId } from "../../shared/ids.ts";
import { GRACE_MS, Heartbeat } from "../../shared/protocol/link.ts";
import type { Wanted } from "./fence-step.ts";
import { neighboursOf } from "./neighbours.ts";
import { PeerList, peersAmong } from "./peers.ts";
import { regionStateOf, wantedOf } from "./region-view.ts";
import {
  initialRegistry,
  type RegionRecord,
  type RegistryEvent,
  type RegistryState,
  registryStep,
} from "./registry-step.ts";
import { RegionSpec } from "./topology.ts";
import type { TopologyEvent } from "./topology-step.ts";

const PLACES: Readonly<Record<string, readonly [number, number]>> = {
  beijing: [39.9, 116.4],
  tianjin: [39.13, 117.2],
  shanghai: [31.23, 121.47],
  shenzhen: [22.54, 114.06],
};

function spec(id: string, change: Record<string, unknown> = {}): RegionSpec {
  const [latitude, longitude] = PLACES[id] ?? [0, 0];
  return RegionSpec.parse({ id, name: id, latitude, longitude, capacity: 100, ...change });
}

const all = Object.keys(PLACES).map((id) => spec(id));

function heard(id: string, change: Record<string, unknown> = {}, incarnation = 1): RegistryEvent {
  const heartbeat = Heartbeat.parse({
    regionId: id,
    nodeId: `${id}-${incarnation}`,
    sequence: 1,
    protocol: 1,
    build: "test",
    publicAddress: `${id}.test:1`,
    nodeAddress: `${id}.test:1`,
    linkAddress: `${id}-${incarnation}.test:2`,
    games: ["arena"],
    state: "active",
    capacity: 100,
    connected: 0,
    reserved: 0,
    rooms: 0,
    load: { eventLoopDelayP99Ms: 1, eventLoopUtilisation: 0, rssBytes: 1 },
    redis: "up",
    keyIds: [],
    endedRooms: [],
    ...change,
  });
  return { type: "heartbeat", from: RegionId.parse(id), heartbeat };
}

const tick: RegistryEvent = { type: "tick" };

function topology(
  specs: readonly RegionSpec[],
  lives: readonly (readonly [string, Epoch, Wanted])[] = [],
): TopologyEvent {
  const known = lives.map(
    ([id, epoch, wanted]) => [RegionId.parse(id), { epoch, wanted }] as const,
  );
  return { type: "topology", specs, lives: new Map(known) };
}

/** The state after these events at their times, and the effects of the last one. */
function run(events: readonly (readonly [number, RegistryEvent])[], specs = all) {
  let state: RegistryState = initialRegistry(specs, 0);
  let effects: ReturnType<typeof registryStep>[1] = [];
  for (const [nowMs, event] of events) [state, effects] = registryStep(state, event, nowMs);
  const region = (id: string): RegionRecord => {
    const found = state.get(RegionId.parse(id));
    assert.ok(found, id);
    return found;
  };
  return { state, effects, region, regions: [...state.values()] };
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

test("given neighbours are taken as given, and those that went since are left out", () => {
  const given = spec("beijing", { neighbours: ["shenzhen", "tianjin"] });
  const { region, regions } = run([], [given, spec("shenzhen"), spec("shanghai")]);
  assert.deepEqual(names(neighboursOf(region("beijing"), regions)), ["shenzhen"]);
});

test("of each region that lives its oldest node is measured to, or the place that is given", () => {
  const given = spec("shanghai", { privateAddress: "link.shanghai.test:7" });
  const specs = [spec("beijing"), spec("tianjin"), given];
  const { regions } = run(
    [
      [0, heard("tianjin")],
      [GRACE_MS, tick],
      [GRACE_MS, heard("beijing", {}, 5)],
      [GRACE_MS, heard("beijing", {}, 4)],
      [GRACE_MS, heard("shanghai")],
    ],
    specs,
  );
  assert.deepEqual(peersAmong(regions).regions, [
    { regionId: "beijing", linkAddress: "beijing-4.test:2" },
    { regionId: "shanghai", linkAddress: "link.shanghai.test:7" },
  ]);
});

test("the list of peers is told to those who have another, and made once a second", () => {
  let { regions } = run([[0, heard("beijing")]]);
  let nowMs = 0;
  const list = new PeerList({ regions: () => regions, clock: { monotonicMs: () => nowMs } });
  assert.equal(list.news(undefined), undefined, "a node that measures nothing");
  const first = list.news("");
  assert.ok(first && first.version !== "");
  assert.equal(list.news(first.version), undefined);
  ({ regions } = run([[0, heard("beijing", {}, 2)]]));
  assert.equal(list.news(first.version), undefined, "not made anew yet");
  nowMs = 1_000;
  const second = list.news(first.version);
  assert.ok(second && second.version !== first.version);
  ({ regions } = run([[0, heard("beijing")]]));
  nowMs = 2_000;
  assert.equal(
    list.news(second.version)?.version,
    first.version,
    "the same list, the same version",
  );
});
