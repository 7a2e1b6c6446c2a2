/**
 * Whether a player's owner may still write, or have written what was not applied yet.
 *
 * A node that has fallen silent is waited for a while longer: a sibling or its next life sends what is left
 * in its outbox. So is one that the registry does not know (because it was replaced, or because this core
 * has just started) from when it was first asked for.
 */
import type { Clock } from "../../shared/clock.ts";
import type { NodeId } from "../../shared/ids.ts";
import { GRACE_MS } from "../../shared/protocol/link.ts";
import type { NodeRecord } from "../regions/registry-step.ts";

/** From when a node is taken for down. */
export const ORPHAN_DRAIN_MS = 3_000;
/** Nodes that are gone; the one that was first asked for is forgotten first, and waited for once more. */
const MISSED_MAX = 10_000;

export class OwnerLives {
  readonly #node: (nodeId: NodeId) => NodeRecord | undefined;
  readonly #clock: Clock;
  /** When it was first asked for, monotonic ms. */
  readonly #missedSinceMs = new Map<NodeId, number>();

  constructor(node: (nodeId: NodeId) => NodeRecord | undefined, clock: Clock) {
    this.#node = node;
    this.#clock = clock;
  }

  /** Whether heartbeats of it come in. */
  isAlive(nodeId: NodeId): boolean {
    return this.#node(nodeId)?.alive ?? false;
  }

  mayWrite(nodeId: NodeId): boolean {
    const nowMs = this.#clock.monotonicMs();
    const node = this.#node(nodeId);
    if (!node) return nowMs - this.#missedSince(nodeId, nowMs) < ORPHAN_DRAIN_MS;
    this.#missedSinceMs.delete(nodeId);
    return node.alive || nowMs - node.receivedMs < GRACE_MS + ORPHAN_DRAIN_MS;
  }

  #missedSince(nodeId: NodeId, nowMs: number): number {
    const since = this.#missedSinceMs.get(nodeId);
    if (since !== undefined) return since;
    this.#missedSinceMs.set(nodeId, nowMs);
    if (this.#missedSinceMs.size > MISSED_MAX) {
      for (const first of this.#missedSinceMs.keys()) {
        this.#missedSinceMs.delete(first);
        break;
      }
    }
    return nowMs;
  }
}
