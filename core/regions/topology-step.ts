/**
 * How a new topology changes what the core knows of its regions. Pure.
 *
 * It is taken as a whole or not at all: a region goes only when nothing of it lives, because whatever its
 * nodes run would be cut off from the core by a slip of the pen. Regions that stay keep what is known of them;
 * new ones begin with the life that the database has of them, if it has one.
 */
import { EPOCH_NONE } from "../../shared/epoch.ts";
import type { RegionId } from "../../shared/ids.ts";
import { GRACE_MS } from "../../shared/protocol/link.ts";
import type { RegionLife } from "./fence-step.ts";
import { liveNodes } from "./region-view.ts";
import type { RegionRecord, RegistryEffect, RegistryState, RegistryStep } from "./registry-step.ts";
import type { RegionSpec } from "./topology.ts";

export interface TopologyEvent {
  readonly type: "topology";
  readonly specs: readonly RegionSpec[];
  /** Of regions that were not there before, those that the database knows. */
  readonly lives: ReadonlyMap<RegionId, RegionLife>;
}

const NO_LIFE: RegionLife = { epoch: EPOCH_NONE, wanted: "active" };

/** A region of which nothing was heard yet. @param nowMs monotonic */
export function freshRegion(spec: RegionSpec, nowMs: number, life = NO_LIFE): RegionRecord {
  const { epoch, wanted } = life;
  return { spec, epoch, wanted, nodes: new Map(), unheardUntilMs: nowMs + GRACE_MS };
}

/** @param nowMs monotonic */
export function onTopology(
  state: RegistryState,
  { specs, lives }: TopologyEvent,
  nowMs: number,
): RegistryStep {
  const staying = new Set(specs.map(({ id }) => id));
  const leaving = [...state.values()].filter(({ spec }) => !staying.has(spec.id));
  const obstacles = leaving.flatMap((region) => obstacleTo(region) ?? []);
  if (obstacles.length > 0) {
    return [state, [{ type: "refuse", kind: "conflict", message: obstacles.join("; ") }]];
  }
  const next = specs.map((spec): [RegionId, RegionRecord] => {
    const known = state.get(spec.id);
    return [spec.id, known ? { ...known, spec } : freshRegion(spec, nowMs, lives.get(spec.id))];
  });
  return [new Map(next), leaving.flatMap(farewells)];
}

/** Why the region can't go yet; undefined when it can. */
function obstacleTo(region: RegionRecord): string | undefined {
  const { id } = region.spec;
  const live = liveNodes(region).length;
  if (live > 0) {
    const nodes = live === 1 ? "1 live node" : `${live} live nodes`;
    return `${id} still has ${nodes}: drain and stop ${live === 1 ? "it" : "them"} first`;
  }
  if (region.unheardUntilMs === undefined) return undefined;
  return `${id} may have nodes that were not heard yet: it is looked at again in a moment`;
}

/** Its dead nodes are forgotten, and what is open under its name in the database ends. */
function farewells({ spec, nodes }: RegionRecord): RegistryEffect[] {
  const forgotten = [...nodes.values()].map((node) => ({ type: "nodeForgotten", node }) as const);
  return [...forgotten, { type: "nodesKnown", regionId: spec.id, nodeIds: [] }];
}
