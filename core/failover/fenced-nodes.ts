/**
 * Which nodes are fenced, as every heartbeat and call of a node needs to know at once. From when a fence is
 * decided until it is committed the node gets no answer either: neither a lease nor its end.
 *
 * At most `FENCED_MAX` are remembered, the newest ones; a claim finds older ones in the database.
 */
import { MeridianError } from "../../shared/errors.ts";
import type { NodeId } from "../../shared/ids.ts";
import { HEARTBEAT_PERIOD_MS } from "../../shared/protocol/link.ts";
import type { Sql } from "../db/database.ts";
import { type Because, selectFenced } from "./fence-store.ts";

const FENCED_MAX = 10_000;

export class FencedNodes {
  readonly #fenced = new Set<NodeId>();
  readonly #fencing = new Map<NodeId, Because>();

  /** Those that earlier cores fenced. */
  async load(sql: Sql): Promise<void> {
    for (const nodeId of await selectFenced(sql, FENCED_MAX)) this.#fenced.add(nodeId);
  }

  has(nodeId: NodeId): boolean {
    return this.#fenced.has(nodeId);
  }

  /** Whether it is decided that its life is over. */
  isLost(nodeId: NodeId): boolean {
    return this.#fenced.has(nodeId) || this.#fencing.has(nodeId);
  }

  /** Whether its fence is under way. */
  isUnderWay(nodeId: NodeId): boolean {
    return this.#fencing.has(nodeId);
  }

  begin(nodeId: NodeId, because: Because): void {
    this.#fencing.set(nodeId, because);
  }

  abandon(nodeId: NodeId): void {
    this.#fencing.delete(nodeId);
  }

  done(nodeId: NodeId): void {
    this.#fencing.delete(nodeId);
    this.#fenced.add(nodeId);
    if (this.#fenced.size <= FENCED_MAX) return;
    const [oldest] = this.#fenced;
    if (oldest !== undefined) this.#fenced.delete(oldest);
  }

  /** @throws {MeridianError} `stale_incarnation`, which ends the node; `unavailable` */
  requireHeartbeat(nodeId: NodeId): void {
    // A node that has a later life is stale whatever becomes of its fence.
    const replaced = this.#fencing.get(nodeId) === "replaced";
    if (!replaced) this.#requireDecided(nodeId);
    if (!replaced && !this.#fenced.has(nodeId)) return;
    throw new MeridianError("stale_incarnation", { message: "This node was fenced." });
  }

  /** @throws {MeridianError} `fenced`; `unavailable` */
  requireCall(nodeId: NodeId): void {
    this.#requireDecided(nodeId);
    if (!this.#fenced.has(nodeId)) return;
    throw new MeridianError("fenced", { message: "This node was fenced." });
  }

  #requireDecided(nodeId: NodeId): void {
    if (!this.#fencing.has(nodeId)) return;
    throw new MeridianError("unavailable", {
      message: "This node is being fenced.",
      retryAfterMs: HEARTBEAT_PERIOD_MS,
    });
  }
}
