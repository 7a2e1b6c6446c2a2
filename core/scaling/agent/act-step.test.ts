import assert from "node:assert/strict";
import { test } from "node:test";
import { EvacuationStatus } from "../../../shared/protocol/ops-failover.ts";
import { RegionScalingStatus, type ScaledNode } from "../../../shared/protocol/ops-scaling.ts";
import { actOf } from "./act-step.ts";

function node(n: number, change: Partial<ScaledNode> = {}) {
  const linkAddress = `10.0.0.${n}:7401`;
  return { nodeId: `beijing-${n}`, linkAddress, draining: false, taken: 10, rooms: 1, ...change };
}

function region(wanted: number, nodes: object[], change: object = {}): RegionScalingStatus {
  return RegionScalingStatus.parse({
    regionId: "beijing",
    wanted,
    running: nodes.length,
    min: 1,
    max: 4,
    reason: "steady",
    why: "",
    sinceMs: 0,
    players: 0,
    waiting: 0,
    seatsPerNode: 100,
    nodes,
    ...change,
  });
}

function evacuation(n: number, phase: string): EvacuationStatus {
  const nodeId = `beijing-${n}`;
  const counts = { moved: 0, players: 0, moving: 0, left: 0, gone: 0, failed: 0, lost: 0 };
  const times = { startedAtMs: 0, endedAtMs: null, roomsPerS: 20 };
  const said = { regionId: "beijing", nodeId, phase, by: "scale", ...times, ...counts, errors: [] };
  return EvacuationStatus.parse(said);
}

const emptied = node(2, { draining: true, taken: 0, rooms: 0 });

test("too few nodes are added to, enough are left as they are", () => {
  assert.deepEqual(actOf(region(3, [node(1)]), undefined), { type: "add", nodes: 3 });
  assert.deepEqual(actOf(region(1, [node(1)]), undefined), { type: "none" });
  const drained = { reason: "left_alone" };
  assert.deepEqual(actOf(region(3, [node(1)], drained), undefined), { type: "none" });
});

test("of too many the emptiest is emptied first, or the one that must go first", () => {
  const three = [node(1), node(2, { taken: 3 }), node(3, { taken: 3, rooms: 0 })];
  const act = actOf(region(2, three), undefined);
  assert.equal(act.type === "evacuate" && act.node.nodeId, "beijing-3");
  const [first] = region(2, three).nodes;
  const chosen = actOf(region(2, three), undefined, first?.nodeId);
  assert.equal(chosen.type === "evacuate" && chosen.node.nodeId, "beijing-1");
  assert.deepEqual(actOf(region(1, [node(1, { taken: 0 })], { wanted: 0 }), undefined), {
    type: "none",
  });
});

test("a node goes when its evacuation is done and nobody is left; until then it is waited for", () => {
  const leaving = (change: object) => [node(1), node(2, { draining: true, ...change })];
  const nobody = { taken: 0, rooms: 0 };
  const act = (nodes: object[], phase: string) =>
    actOf(region(1, nodes), evacuation(2, phase)).type;
  assert.equal(act(leaving(nobody), "running"), "wait");
  assert.equal(act(leaving({ taken: 1 }), "done"), "wait", "a room that could not be moved");
  assert.equal(act(leaving({ ...nobody, rooms: 1 }), "done"), "wait");
  assert.equal(act([node(1), node(2, nobody)], "done"), "wait", "it may still get players");
  const gone = actOf(region(1, [node(1), emptied]), evacuation(2, "done"));
  assert.equal(gone.type === "remove" && gone.nodes, 1);
  assert.equal(act([emptied], "done"), "wait", "never the last one");
});

test("more are wanted while a node is emptied: it stays, or another comes", () => {
  const two = [node(1), node(2, { draining: true })];
  assert.equal(actOf(region(2, two), evacuation(2, "running")).type, "keep");
  assert.deepEqual(actOf(region(2, two), evacuation(2, "done")), { type: "add", nodes: 3 });
  assert.equal(actOf(region(2, [node(1), emptied]), evacuation(2, "done")).type, "remove");
});

test("one evacuation of a region at a time", () => {
  const act = actOf(region(1, [node(1), node(2)]), evacuation(7, "paused"));
  assert.equal(act.type, "wait");
  assert.equal(actOf(region(1, [node(1), node(2)]), evacuation(7, "done")).type, "evacuate");
  assert.equal(actOf(region(1, [node(1), node(2)]), evacuation(2, "stopped")).type, "evacuate");
});
