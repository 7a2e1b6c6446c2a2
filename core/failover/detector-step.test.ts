/** What the detector takes for what: each story with a clock of its own, told event by event. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NodeId, PlayerId, RegionId } from "../../shared/ids.ts";
import type { Saw } from "../../shared/protocol/failover.ts";
import {
  DETECTOR_DEFAULTS,
  type DetectorEffect,
  detectorStep,
  initialDetector,
  type WatchedNode,
} from "./detector-step.ts";

const TICK_MS = 100;
const LOOK_MS = 600;
const SETTLED_MS = 5_000;
const [a1, a2, b1, c1] = ["a-1", "a-2", "b-1", "c-1"] as [NodeId, NodeId, NodeId, NodeId];

/** Who sees what, by "core" or region and node; nothing said: it answers. */
type Views = Record<string, Saw>;

class Story {
  nowMs = 0;
  views: Views = {};
  /** Nodes whose heartbeats come. */
  beating: Set<NodeId>;
  oneRegion = false;
  relayed = new Set<NodeId>();
  leaving = new Set<NodeId>();
  readonly told: (DetectorEffect & { readonly atMs: number })[] = [];
  readonly #nodes: readonly NodeId[];
  readonly #heard = new Map<NodeId, number>();
  #state = initialDetector(0);
  #late: { readonly atMs: number; readonly run: () => void }[] = [];

  constructor(nodes: readonly NodeId[] = [a1, a2, b1, c1]) {
    this.#nodes = nodes;
    this.beating = new Set(nodes);
    this.play(SETTLED_MS);
    this.told.length = 0;
  }

  play(forMs: number): this {
    for (const endMs = this.nowMs + forMs; this.nowMs < endMs; ) {
      this.nowMs += TICK_MS;
      const due = this.#late.filter(({ atMs }) => atMs <= this.nowMs);
      this.#late = this.#late.filter(({ atMs }) => atMs > this.nowMs);
      for (const { run } of due) run();
      if (this.nowMs % 500 === 0) for (const id of this.beating) this.#heard.set(id, this.nowMs);
      const nodes = this.#nodes.map((nodeId): WatchedNode => {
        const heardMs = this.#heard.get(nodeId) ?? 0;
        const relayed = this.relayed.has(nodeId);
        const leaving = this.leaving.has(nodeId);
        return { nodeId, regionId: regionOf(nodeId), heardMs, relayed, leaving };
      });
      this.tell({ type: "tick", nodes, oneRegion: this.oneRegion });
    }
    return this;
  }

  tell(event: Parameters<typeof detectorStep>[1]): this {
    const [state, effects] = detectorStep(this.#state, event, this.nowMs, DETECTOR_DEFAULTS);
    this.#state = state;
    for (const effect of effects) {
      this.told.push({ ...effect, atMs: this.nowMs });
      if (effect.type === "look") this.#look("core", effect.nodeId);
      if (effect.type === "ask") {
        for (const regionId of effect.regionIds) this.#look(regionId, effect.nodeId);
      }
    }
    return this;
  }

  downs(): string[] {
    const downs = this.told.filter((one) => one.type === "down");
    return [...new Set(downs.map((one) => `${one.nodeId} ${"because" in one && one.because}`))];
  }

  health(nodeId: NodeId): string[] {
    return this.told.flatMap((one) =>
      one.type === "health" && one.nodeId === nodeId ? [one.health] : [],
    );
  }

  #look(by: "core" | RegionId, nodeId: NodeId): void {
    const saw = this.views[`${by} ${nodeId}`] ?? "answers";
    const atMs = this.nowMs + (saw === "silent" ? LOOK_MS : TICK_MS);
    this.#late.push({ atMs, run: () => this.tell({ type: "saw", by, nodeId, saw }) });
  }
}

function regionOf(nodeId: NodeId): RegionId {
  return nodeId.split("-")[0] as RegionId;
}

function seenBy(places: readonly string[], nodes: readonly NodeId[], saw: Saw): Views {
  return Object.fromEntries(
    places.flatMap((place) => nodes.map((nodeId) => [`${place} ${nodeId}`, saw])),
  );
}

function without(story: Story, ...nodes: NodeId[]): Story {
  for (const nodeId of nodes) story.beating.delete(nodeId);
  return story;
}

test("a node whose process is gone is down at once, when a standby tells of it", () => {
  const story = without(new Story(), a1);
  story.views = seenBy(["core", "b", "c"], [a1], "refused");
  const diedMs = story.nowMs;
  story.tell({ type: "saw", by: "b" as RegionId, nodeId: a1, saw: "refused" }).play(1_000);
  assert.deepEqual(story.downs(), ["a-1 refused"]);
  assert.ok((story.told.find(({ type }) => type === "down")?.atMs ?? 0) - diedMs <= 300);
});

test("a region that crashes is down, node by node", () => {
  const story = without(new Story(), a1, a2);
  story.views = seenBy(["core", "b", "c"], [a1, a2], "refused");
  assert.deepEqual(story.play(1_500).downs(), ["a-1 refused", "a-2 refused"]);
});

test("a black hole is down when the grace is over, not before", () => {
  const story = without(new Story(), a1);
  story.views = seenBy(["core", "b", "c"], [a1], "silent");
  const heardMs = story.nowMs;
  assert.deepEqual(story.play(DETECTOR_DEFAULTS.graceMs - 50).downs(), []);
  assert.deepEqual(story.health(a1), ["suspect"]);
  story.play(500);
  assert.deepEqual(story.downs(), ["a-1 silent"]);
  assert.ok((story.told.find(({ type }) => type === "down")?.atMs ?? 0) - heardMs <= 2_600);
});

test("a node that only the core has lost is isolated, however long, and healthy again later", () => {
  const story = without(new Story(), a1);
  story.views = seenBy(["core"], [a1], "silent");
  story.play(20_000);
  assert.deepEqual(story.downs(), []);
  assert.deepEqual(story.health(a1), ["suspect", "isolated"]);
  story.beating.add(a1);
  story.views = {};
  assert.deepEqual(story.play(3_000).health(a1), ["suspect", "isolated", "healthy"]);
});

test("one answer stands against any silence: split views", () => {
  const story = without(new Story(), a1);
  story.views = seenBy(["core", "b"], [a1], "silent");
  assert.deepEqual(story.play(10_000).downs(), []);
});

test("refused at the core alone, answered elsewhere: a filter, no death", () => {
  const story = without(new Story(), a1);
  story.views = seenBy(["core"], [a1], "refused");
  assert.deepEqual(story.play(10_000).downs(), []);
});

test("a sibling's refusal proves nothing", () => {
  const story = without(new Story([a1, a2, b1]), a1, b1);
  story.views = seenBy(["core", "b"], [a1, b1], "silent");
  for (let times = 0; times < 10; times += 1) {
    story.tell({ type: "saw", by: "core", nodeId: a1, saw: "refused" });
    story.tell({ type: "saw", by: "a" as RegionId, nodeId: a1, saw: "refused" }).play(300);
  }
  assert.deepEqual(story.downs(), []);
});

test("everybody silent at once: the core is the suspect", () => {
  const story = without(new Story(), a1, a2, b1, c1);
  story.views = seenBy(["core", "a", "b", "c"], [a1, a2, b1, c1], "silent");
  assert.deepEqual(story.play(20_000).downs(), []);
});

test("after a pause nobody is down by silence before one more grace", () => {
  const story = new Story();
  story.nowMs += 10_000;
  story.tell({ type: "paused" });
  const pausedMs = story.nowMs;
  without(story, a1);
  story.views = seenBy(["core", "b", "c"], [a1], "silent");
  story.play(4_000);
  const down = story.told.find(({ type }) => type === "down");
  assert.ok(down && down.atMs - pausedMs >= DETECTOR_DEFAULTS.graceMs);
});

test("a pause that nobody told of is noticed by the ticks", () => {
  const story = new Story();
  story.nowMs += 10_000;
  assert.deepEqual(story.play(600).told, []);
});

test("players' reports are a reason to look, each player's once, and never more", () => {
  const story = new Story();
  const report = (by: string) => story.tell({ type: "reported", by: by as PlayerId, nodeId: a1 });
  report("p1");
  report("p1");
  assert.deepEqual(story.told, []);
  report("p2");
  assert.deepEqual(
    story.told.map(({ type }) => type),
    ["look"],
  );
  story.views = seenBy(["core"], [a1], "silent");
  assert.deepEqual([...story.play(5_000).downs(), ...story.health(a1)], []);
});

test("a call that failed is a reason to look", () => {
  const story = new Story();
  story.tell({ type: "callFailed", nodeId: a1 }).tell({ type: "callFailed", nodeId: a1 });
  assert.equal(story.told.length, 1);
});

test("who is heard through another node is isolated", () => {
  const story = new Story();
  story.relayed.add(a1);
  assert.deepEqual(story.play(500).health(a1), ["isolated"]);
});

test("who has said that it ends is looked into a grace later", () => {
  const story = without(new Story(), a1);
  story.leaving.add(a1);
  story.views = seenBy(["core", "b", "c"], [a1], "refused");
  assert.deepEqual(story.play(DETECTOR_DEFAULTS.graceMs).told, []);
  assert.deepEqual(story.play(3_000).downs(), ["a-1 refused"]);
});

test("in a world of one region the core's own refusals count, apart from each other", () => {
  const story = without(new Story([a1]), a1);
  story.oneRegion = true;
  story.views = seenBy(["core"], [a1], "refused");
  assert.deepEqual(story.play(2_000).downs(), ["a-1 refused"]);
});

test("a verdict is told again until the node is fenced, and then forgotten", () => {
  const story = without(new Story(), a1);
  story.views = seenBy(["core", "b", "c"], [a1], "refused");
  story.play(4_000);
  const times = story.told.filter(({ type }) => type === "down").length;
  assert.ok(times >= 2 && times <= 4, `${times} times`);
});

test("a node that flickers changes its health a bounded number of times", () => {
  const story = new Story();
  for (let times = 0; times < 60; times += 1) {
    story.beating.delete(a1);
    story.play(1_500).beating.add(a1);
    story.play(1_500);
  }
  assert.ok(story.health(a1).length <= 12, `${story.health(a1).length} changes`);
});
