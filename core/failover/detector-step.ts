/** A stand-in with the interface of the detector, until that one takes its place. Pure. */
import type { NodeId, PlayerId, RegionId } from "../../shared/ids.ts";
import type { Saw } from "../../shared/protocol/failover.ts";
import { GRACE_MS } from "../../shared/protocol/link.ts";

export type NodeHealth = "healthy" | "suspect" | "isolated" | "down";

export interface WatchedNode {
  readonly nodeId: NodeId;
  readonly regionId: RegionId;
  /** Receipt of the last heartbeat, monotonic ms. */
  readonly heardMs: number;
  readonly relayed: boolean;
  /** Has said goodbye, or drains to end. */
  readonly leaving: boolean;
}

export type DetectorEvent =
  | { readonly type: "tick"; readonly nodes: readonly WatchedNode[] }
  | {
      readonly type: "saw";
      readonly by: "core" | RegionId;
      readonly nodeId: NodeId;
      readonly saw: Saw;
    }
  | { readonly type: "reported"; readonly by: PlayerId; readonly nodeId: NodeId }
  | { readonly type: "callFailed"; readonly nodeId: NodeId }
  | { readonly type: "paused" }
  | { readonly type: "fenced"; readonly nodeId: NodeId };

export type DetectorEffect =
  | { readonly type: "look"; readonly nodeId: NodeId }
  | { readonly type: "ask"; readonly nodeId: NodeId; readonly regionIds: readonly RegionId[] }
  | { readonly type: "health"; readonly nodeId: NodeId; readonly health: NodeHealth }
  | { readonly type: "down"; readonly nodeId: NodeId; readonly because: "refused" | "silent" };

export interface DetectorThresholds {
  readonly suspectMs: number;
  readonly graceMs: number;
  readonly evidenceMs: number;
}
export const DETECTOR_DEFAULTS: DetectorThresholds = {
  suspectMs: 900,
  graceMs: GRACE_MS,
  evidenceMs: 2_000,
};

interface Watched extends WatchedNode {
  readonly saws: ReadonlyMap<string, { readonly saw: Saw; readonly atMs: number }>;
  readonly health: NodeHealth;
  readonly lookedMs: number;
}
export interface DetectorState {
  readonly nodes: ReadonlyMap<NodeId, Watched>;
  readonly blindUntilMs: number;
}

export function initialDetector(nowMs: number): DetectorState {
  return { nodes: new Map(), blindUntilMs: nowMs + GRACE_MS };
}

export function detectorStep(
  state: DetectorState,
  event: DetectorEvent,
  nowMs: number,
  thresholds: DetectorThresholds,
): readonly [DetectorState, readonly DetectorEffect[]] {
  if (event.type === "paused") {
    return [{ ...state, blindUntilMs: nowMs + thresholds.graceMs }, []];
  }
  const nodes = new Map(state.nodes);
  const effects: DetectorEffect[] = [];
  const look = (node: Watched, health: NodeHealth): void => {
    const regions = new Set([...nodes.values()].map(({ regionId }) => regionId));
    regions.delete(node.regionId);
    effects.push({ type: "look", nodeId: node.nodeId });
    effects.push({ type: "ask", nodeId: node.nodeId, regionIds: [...regions].slice(0, 2) });
    if (health !== node.health) effects.push({ type: "health", nodeId: node.nodeId, health });
    nodes.set(node.nodeId, { ...node, health, lookedMs: nowMs });
  };
  if (event.type === "tick") {
    for (const told of event.nodes) {
      const known = nodes.get(told.nodeId);
      const node = { saws: new Map(), health: "healthy" as const, lookedMs: 0, ...known, ...told };
      nodes.set(told.nodeId, node);
      const silentMs = nowMs - node.heardMs;
      const lives = told.relayed ? "isolated" : "healthy";
      if (silentMs >= thresholds.suspectMs && nowMs - node.lookedMs >= 400) {
        look(node, node.health === "isolated" ? "isolated" : "suspect");
      } else if (node.health === "suspect" && nowMs - node.lookedMs < 1_000) continue;
      else if (silentMs < thresholds.suspectMs && node.health !== lives) {
        effects.push({ type: "health", nodeId: told.nodeId, health: lives });
        nodes.set(told.nodeId, { ...node, health: lives });
      }
    }
  } else if (event.type === "fenced") nodes.delete(event.nodeId);
  else if (event.type === "saw") {
    const node = nodes.get(event.nodeId);
    if (node) {
      const saws = new Map(node.saws).set(event.by, { saw: event.saw, atMs: nowMs });
      const next = { ...node, saws };
      nodes.set(event.nodeId, next);
      const fresh = [...saws].filter(([, { atMs }]) => nowMs - atMs <= thresholds.evidenceMs);
      const others = fresh.filter(([by]) => by !== "core" && by !== node.regionId);
      const core = fresh.find(([by]) => by === "core")?.[1].saw;
      const silent =
        nowMs >= state.blindUntilMs && nowMs - node.heardMs >= thresholds.graceMs && others.length > 0;
      if (core === "refused" && others.some(([, { saw }]) => saw === "refused")) {
        effects.push({ type: "down", nodeId: event.nodeId, because: "refused" });
      } else if (others.some(([, { saw }]) => saw === "answers")) {
        if (silent && node.health !== "isolated") {
          effects.push({ type: "health", nodeId: event.nodeId, health: "isolated" });
          nodes.set(event.nodeId, { ...next, health: "isolated" });
        }
      } else if (core !== "answers" && core !== undefined && silent) {
        effects.push({ type: "down", nodeId: event.nodeId, because: "silent" });
      } else if (event.saw === "refused" && event.by !== "core" && core !== "refused") {
        look(next, "suspect");
      }
    }
  } else {
    const node = nodes.get(event.nodeId);
    if (node && nowMs - node.lookedMs >= 200) look(node, node.health);
  }
  return [{ ...state, nodes }, effects];
}
