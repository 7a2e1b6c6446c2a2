import assert from "node:assert/strict";
import { test } from "node:test";
import { GameName, NodeId, RegionId, RoomId } from "../../shared/ids.ts";
import type { JoinMode } from "../../shared/protocol/join.ts";
import { GRACE_MS, Heartbeat } from "../../shared/protocol/link.ts";
import { chooseNode, freeSeats, regionStateOf } from "./region-view.ts";
import {
  FORGET_MS,
  initialRegistry,
  NODES_PER_REGION_MAX,
  type RegistryEvent,
  type RegistryState,
  registryStep,
} from "./registry-step.ts";
import { RegionSpec } from "./topology.ts";

const beijing = RegionId.parse("beijing");
const spec = RegionSpec.parse({
  id: "beijing",
  name: "Beijing",
  latitude: 39.9,
  longitude: 116.4,
  capacity: 100,
});

function beat(node: string, sequence: number, change: Record<string, unknown> = {}): Heartbeat {
  return Heartbeat.parse({
    regionId: "beijing",
    nodeId: node,
    sequence,
    protocol: 1,
    build: "test",
    publicAddress: "a.test:1",
    nodeAddress: "a.test:1",
    linkAddress: "a.test:2",
    games: ["arena"],
    state: "active",
    capacity: 100,
    connected: 10,
    reserved: 5,
    rooms: 1,
    load: { eventLoopDelayP99Ms: 1, eventLoopUtilisation: 0, rssBytes: 1 },
    redis: "up",
    keyIds: [],
    endedRooms: [],
    ...change,
  });
}

function heard(heartbeat: Heartbeat, from = beijing): RegistryEvent {
  return { type: "heartbeat", from, heartbeat };
}

/**
 * Runs events at their times; gives the last state and every effect, each as `type` or its kind, and
 * apart from them which nodes were known when rooms of others were to end.
 */
function run(events: readonly (readonly [number, RegistryEvent])[]) {
  let state: RegistryState = initialRegistry([spec], 0);
  const effects: string[] = [];
  const known: string[][] = [];
  for (const [nowMs, event] of events) {
    const [next, happened] = registryStep(state, event, nowMs);
    state = next;
    for (const effect of happened) {
      if (effect.type === "nodesKnown") known.push([...effect.nodeIds]);
      else effects.push(effect.type === "refuse" ? effect.kind : effect.type);
    }
  }
  const region = state.get(beijing);
  assert.ok(region);
  return { state, region, effects, known };
}

const tick: RegistryEvent = { type: "tick" };

test("a node registers by its first heartbeat, is down after the grace, and comes back", () => {
  const first = [0, heard(beat("beijing-1", 1))] as const;
  assert.equal(regionStateOf(run([]).region), "unknown");
  assert.deepEqual(run([first]).effects, ["nodeUp"]);
  assert.equal(regionStateOf(run([first, [GRACE_MS - 1, tick]]).region), "active");
  const silent = run([first, [GRACE_MS, tick], [GRACE_MS + 1, tick]]);
  assert.deepEqual(silent.effects, ["nodeUp", "nodeDown"]);
  assert.equal(regionStateOf(silent.region), "down");
  const back = run([first, [GRACE_MS, tick], [9_000, heard(beat("beijing-1", 2))]]);
  assert.deepEqual(back.effects, ["nodeUp", "nodeDown", "nodeUp"]);
  assert.equal(regionStateOf(back.region), "active");
});

test("heartbeats at their period keep a node up for ever", () => {
  const events: [number, RegistryEvent][] = [];
  for (let n = 1; n <= 200; n += 1) {
    events.push([n * 500, heard(beat("beijing-1", n))], [n * 500 + 250, tick]);
  }
  assert.deepEqual(run(events).effects, ["nodeUp"]);
});

test("a newer incarnation replaces the older one at once, which is then stale", () => {
  const { effects, region } = run([
    [0, heard(beat("beijing-1", 50))],
    [100, heard(beat("beijing-2", 1))],
    [200, heard(beat("beijing-1", 51))],
  ]);
  assert.deepEqual(effects, ["nodeUp", "nodeReplaced", "nodeUp", "stale_incarnation"]);
  assert.deepEqual([...region.nodes.keys()], ["beijing-2"]);
});

test("nodes of one region with other addresses are siblings", () => {
  const other = { publicAddress: "b.test:1", linkAddress: "b.test:2" };
  const { effects, region } = run([
    [0, heard(beat("beijing-1", 1))],
    [0, heard(beat("beijing-2", 1, { ...other, connected: 60 }))],
  ]);
  assert.deepEqual(effects, ["nodeUp", "nodeUp"]);
  assert.equal(
    chooseNode(region, { mode: "joinOrCreate" })?.nodeId,
    "beijing-1",
    "the emptier one",
  );
});

test("nodes behind one proxy share the address for players, and are siblings all the same", () => {
  const { effects } = run([
    [0, heard(beat("beijing-1", 1))],
    [0, heard(beat("beijing-2", 1, { linkAddress: "b.test:2" }))],
  ]);
  assert.deepEqual(effects, ["nodeUp", "nodeUp"]);
});

type Change = Readonly<Record<string, unknown>>;

test("new players meet others: open rooms first, then the node with the most room", () => {
  const arena = GameName.parse("arena");
  const chosen = (first: Change, second: Change, mode: JoinMode = "joinOrCreate") => {
    const sibling = { linkAddress: "b.test:2", ...second };
    const { region } = run([
      [0, heard(beat("beijing-1", 1, first))],
      [0, heard(beat("beijing-2", 1, sibling))],
    ]);
    return chooseNode(region, { game: arena, mode })?.nodeId;
  };
  const open = { connected: 40, openSeats: { arena: 10 } };
  assert.equal(chosen({}, open), "beijing-2", "where an open room is");
  assert.equal(chosen({}, open, "create"), "beijing-1", "a room of one's own: the emptier node");
  const busy = { load: { eventLoopDelayP99Ms: 0, eventLoopUtilisation: 0.9, rssBytes: 1 } };
  assert.equal(chosen({}, { ...open, ...busy }), "beijing-1", "unless that node is busy");
  const noRooms = { overload: "no_rooms", connected: 0 };
  assert.equal(chosen({ ...noRooms }, { connected: 60 }), "beijing-2", "a node that makes rooms");
  assert.equal(chosen(noRooms, noRooms), "beijing-1", "unless none does");
  assert.equal(chosen(noRooms, open), "beijing-2");
  assert.equal(chosen({ ...open, ...noRooms }, {}), "beijing-1", "where a room is open");
  const noSeats = { overload: "no_seats" };
  assert.equal(chosen(noSeats, { connected: 90 }), "beijing-2", "never one that takes nobody");
  assert.equal(chosen(noSeats, noSeats), undefined);
  assert.equal(chosen({ connected: 1 }, {}), "beijing-1", "a small difference does not scatter");
  assert.equal(chosen({ connected: 60 }, {}), "beijing-2", "a large one does");
});

test("a reordered older heartbeat changes nothing", () => {
  const { region, effects } = run([
    [0, heard(beat("beijing-1", 5, { connected: 50 }))],
    [10, heard(beat("beijing-1", 4, { connected: 1 }))],
  ]);
  assert.deepEqual(effects, ["nodeUp"]);
  assert.equal([...region.nodes.values()][0]?.heartbeat.connected, 50);
});

test("a heartbeat from before the silence does not bring a node back that is down", () => {
  const { region, effects } = run([
    [0, heard(beat("beijing-1", 5))],
    [GRACE_MS, tick],
    [GRACE_MS + 1, heard(beat("beijing-1", 4))],
    [GRACE_MS + 2, heard(beat("beijing-1", 5))],
  ]);
  assert.deepEqual(effects, ["nodeUp", "nodeDown"]);
  assert.equal(regionStateOf(region), "down");
});

test("a heartbeat of someone else, of nobody, or in another protocol is refused", () => {
  const shanghai = RegionId.parse("shanghai");
  const refusals: [Heartbeat, RegionId, string][] = [
    [beat("beijing-1", 1), shanghai, "unknown_region"],
    [beat("beijing-1", 1, { regionId: "shanghai" }), beijing, "forbidden"],
    [beat("shanghai-1", 1), beijing, "forbidden"],
    [beat("beijing-1", 1, { protocol: 0 }), beijing, "update_required"],
  ];
  for (const [heartbeat, from, kind] of refusals) {
    const { effects, region } = run([[0, heard(heartbeat, from)]]);
    assert.deepEqual(effects, [kind]);
    assert.equal(region.nodes.size, 0);
  }
});

test("what an operator wants, and what a node says, both drain a region", () => {
  const node = [0, heard(beat("beijing-1", 1))] as const;
  const wanted = [1, { type: "wanted", regionId: beijing, wanted: "draining" }] as const;
  assert.equal(regionStateOf(run([node, wanted]).region), "draining");
  const itself = heard(beat("beijing-1", 1, { state: "draining" }));
  assert.equal(regionStateOf(run([[0, itself]]).region), "draining");
});

test("seats granted between heartbeats count until the next one tells", () => {
  const nodeId = NodeId.parse("beijing-1");
  const seat: RegistryEvent = { type: "seatGranted", regionId: beijing, nodeId };
  const free = (events: [number, RegistryEvent][]) => {
    const node = run(events).region.nodes.get(nodeId);
    assert.ok(node);
    return freeSeats(node);
  };
  const before: [number, RegistryEvent][] = [
    [0, heard(beat("beijing-1", 1))],
    [1, seat],
    [2, seat],
  ];
  assert.equal(free(before), 83);
  assert.equal(free([...before, [3, heard(beat("beijing-1", 2, { reserved: 7 }))]]), 83);
});

test("a numbered seat counts until a heartbeat that was sent after it, whichever comes first", () => {
  const nodeId = NodeId.parse("beijing-1");
  const seat = (grant: number) =>
    ({ type: "seatGranted", regionId: beijing, nodeId, grant }) as const;
  const since = (events: [number, RegistryEvent][]) =>
    run(events).region.nodes.get(nodeId)?.seatsSince;
  const counted = (sequence: number, seatsGranted: number) =>
    heard(beat("beijing-1", sequence, { seatsGranted }));
  const before: [number, RegistryEvent][] = [
    [0, counted(1, 40)],
    [1, seat(41)],
    [2, seat(42)],
  ];
  assert.equal(since(before), 2);
  assert.equal(since([...before, [3, counted(2, 41)]]), 1, "sent before the second was granted");
  assert.equal(since([...before, [3, counted(2, 43)]]), 0);
  assert.equal(
    since([
      [0, counted(1, 42)],
      [1, seat(41)],
    ]),
    0,
    "the answer came later",
  );
});

test("rooms that ended are passed on once with the heartbeat that tells", () => {
  const endedRooms = [RoomId.parse("r1")];
  const { effects } = run([
    [0, heard(beat("beijing-1", 1, { endedRooms }))],
    [1, heard(beat("beijing-1", 2))],
  ]);
  assert.deepEqual(effects, ["nodeUp", "roomsEnded"]);
});

test("dead nodes are forgotten in time, and earlier to make room; living ones never", () => {
  const at = (n: number) => ({ publicAddress: `n${n}.test:1`, linkAddress: `n${n}.test:2` });
  const filled: [number, RegistryEvent][] = [];
  for (let n = 1; n <= NODES_PER_REGION_MAX; n += 1) {
    filled.push([0, heard(beat(`beijing-${n}`, 1, at(n)))]);
  }
  const late = heard(beat("beijing-900", 1, at(900)));
  assert.equal(run([...filled, [1, late]]).effects.at(-1), "unavailable");
  const roomy = run([...filled, [GRACE_MS, tick], [GRACE_MS, late]]);
  assert.deepEqual(roomy.effects.slice(-2), ["nodeForgotten", "nodeUp"]);
  assert.equal(roomy.region.nodes.size, NODES_PER_REGION_MAX);
  const empty = run([...filled, [GRACE_MS, tick], [FORGET_MS, tick]]);
  assert.equal(empty.region.nodes.size, 0);
});

test("rooms of nodes that are not known end: from one grace after a start on, at each change", () => {
  const other = { publicAddress: "b.test:1", linkAddress: "b.test:2" };
  const first: [number, RegistryEvent][] = [
    [0, tick],
    [1, heard(beat("beijing-1", 1))],
    [GRACE_MS - 1, heard(beat("beijing-2", 1))],
    [GRACE_MS - 1, tick],
  ];
  assert.deepEqual(run(first).known, [], "a node that lives may not have been heard yet");
  const settled: [number, RegistryEvent][] = [...first, [GRACE_MS, tick], [GRACE_MS + 1, tick]];
  assert.deepEqual(run(settled).known, [["beijing-2"]], "once, without the life that was replaced");
  const more: [number, RegistryEvent][] = [
    ...settled,
    [GRACE_MS + 2, heard(beat("beijing-3", 1, other))],
    [GRACE_MS + 3, heard(beat("beijing-3", 2, other))],
    [GRACE_MS + 4, heard(beat("beijing-4", 1, other))],
  ];
  const [, ...changes] = run(more).known;
  assert.deepEqual(changes, [
    ["beijing-2", "beijing-3"],
    ["beijing-2", "beijing-4"],
  ]);
  const silent: [number, RegistryEvent][] = [
    ...settled,
    [2 * GRACE_MS, tick],
    [2 * FORGET_MS, tick],
  ];
  assert.deepEqual(run(silent).known, [["beijing-2"], []], "down is not forgotten");
  assert.deepEqual(run([[GRACE_MS, tick]]).known, [[]], "nobody was heard at all");
});
