/** Standbys that could not be reached, or had no place, a moment ago: for how long they are not tried. Pure. */
import type { NodeId } from "../../shared/ids.ts";

const FIRST_MS = 1_000;
const LONGEST_MS = 10_000;
/** Whoever was not left out for so long begins anew. */
const FORGIVEN_MS = 30_000;

interface Failing {
  readonly failures: number;
  readonly untilMs: number;
}

export class LeftOut {
  readonly #failing = new Map<NodeId, Failing>();

  has(nodeId: NodeId, nowMs: number): boolean {
    const failing = this.#failing.get(nodeId);
    return failing !== undefined && nowMs < failing.untilMs;
  }

  /** Each failure in a row leaves it out for twice as long. */
  failed(nodeId: NodeId, nowMs: number): void {
    const before = this.#failing.get(nodeId);
    const failures = before && nowMs < before.untilMs + FORGIVEN_MS ? before.failures : 0;
    const untilMs = nowMs + Math.min(LONGEST_MS, FIRST_MS * 2 ** failures);
    this.#failing.set(nodeId, { failures: failures + 1, untilMs });
  }

  worked(nodeId: NodeId): void {
    this.#failing.delete(nodeId);
  }

  /** Only nodes that may be standbys are remembered. */
  retain(nodeIds: ReadonlySet<NodeId>): void {
    for (const nodeId of this.#failing.keys())
      if (!nodeIds.has(nodeId)) this.#failing.delete(nodeId);
  }
}
