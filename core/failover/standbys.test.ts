import assert from "node:assert/strict";
import { test } from "node:test";
import { NodeId } from "../../shared/ids.ts";
import { heard, run } from "../regions/registry.testkit.ts";
import type { RegistryEvent } from "../regions/registry-step.ts";
import { standbysFor } from "./standbys.ts";

const replication = { protectedRooms: 0, unprotectedRooms: 0, copies: 0, lagMs: 0 };

function copying(id: string, change: Record<string, unknown> = {}, incarnation = 1): RegistryEvent {
  return heard(id, { replication, ...change }, incarnation);
}

function of(nodeId: string, ...events: RegistryEvent[]) {
  return listOf(nodeId, events, false);
}

function listOf(nodeId: string, events: RegistryEvent[], siblingsFirst: boolean) {
  const { regions } = run(events.map((event) => [0, event] as const));
  const { nodes, version } = standbysFor(NodeId.parse(nodeId), regions, siblingsFirst);
  return { ids: nodes.map((node) => node.nodeId), version };
}

test("all of the nearest neighbour that has seats to spare, the node itself never", () => {
  const all = [
    copying("beijing"),
    copying("beijing", {}, 2),
    copying("tianjin"),
    copying("tianjin", {}, 2),
    copying("shanghai"),
  ];
  assert.deepEqual(of("beijing-1", ...all).ids, ["tianjin-1", "tianjin-2"]);
  const full = { connected: 100 };
  const filled = [...all, copying("tianjin", { ...full, sequence: 2 })];
  assert.deepEqual(of("beijing-1", ...filled).ids, ["tianjin-2"]);
  const both = [...filled, copying("tianjin", { ...full, sequence: 2 }, 2)];
  assert.deepEqual(of("beijing-1", ...both).ids, ["shanghai-1"]);
});

test("siblings only where no other region has any; a node that nobody knows has none", () => {
  const siblings = [copying("beijing"), copying("beijing", {}, 2)];
  assert.deepEqual(of("beijing-1", ...siblings).ids, ["beijing-2"]);
  const unfit = [
    heard("tianjin"),
    copying("shanghai", { state: "draining" }),
    copying("shenzhen", { games: ["chess"] }),
  ];
  assert.deepEqual(of("beijing-1", ...siblings, ...unfit).ids, ["beijing-2"]);
  assert.deepEqual(of("beijing-9", ...siblings).ids, []);
});

test("a node that is being emptied has its siblings first, where it has any with seats", () => {
  const all = [copying("beijing"), copying("beijing", {}, 2), copying("tianjin")];
  assert.deepEqual(listOf("beijing-1", all, true).ids, ["beijing-2"]);
  const full = copying("beijing", { connected: 100, sequence: 2 }, 2);
  assert.deepEqual(listOf("beijing-1", [...all, full], true).ids, ["tianjin-1"]);
});

test("while two builds are mixed, nodes whose games have the same states come first", () => {
  const [own, other] = [{ gameStates: { arena: "a" } }, { gameStates: { arena: "b" } }];
  const mixed = [
    copying("beijing", own),
    copying("tianjin", other),
    copying("tianjin", own, 2),
    copying("shanghai", own),
  ];
  assert.deepEqual(of("beijing-1", ...mixed).ids, ["tianjin-2"]);
  const [beijing, tianjin, , shanghai] = mixed as [
    RegistryEvent,
    RegistryEvent,
    RegistryEvent,
    RegistryEvent,
  ];
  assert.deepEqual(of("beijing-1", beijing, tianjin, shanghai).ids, ["shanghai-1"]);
  assert.deepEqual(of("beijing-1", beijing, tianjin).ids, ["tianjin-1"], "better than none");
  // One of before does not say.
  assert.deepEqual(of("beijing-1", beijing, copying("tianjin"), shanghai).ids, ["tianjin-1"]);
});

test("doubted, cut off and fenced ones are none; the version stands for the list", () => {
  const all = [copying("beijing"), copying("tianjin"), copying("shanghai")];
  const { regionId, nodeId } = { regionId: "tianjin", nodeId: NodeId.parse("tianjin-1") };
  const before = of("beijing-1", ...all);
  for (const health of ["suspect", "isolated", "down"] as const) {
    const told = { type: "health", regionId, nodeId, health } as RegistryEvent;
    const after = of("beijing-1", ...all, told);
    assert.deepEqual(after.ids, ["shanghai-1"], health);
    assert.notEqual(after.version, before.version);
  }
  const fence = { type: "wanted", regionId, wanted: "fenced" } as RegistryEvent;
  assert.deepEqual(of("beijing-1", ...all, fence).ids, ["shanghai-1"]);
  assert.equal(of("beijing-1", ...all).version, before.version);
});
