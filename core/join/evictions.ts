/**
 * Ends players' sessions at the core's word: after a ban, a log-out everywhere, a deletion, or because the
 * player has a newer one.
 *
 * Ordered in the transaction of its cause (a newer session's: see `placeSession`), so that neither happens
 * without the other. The order fences
 * the session (a join that is under way finds itself overtaken, a reconnection too) and notes the node
 * that is to be told. Telling is tried at once and then every `PERIOD_MS`, also by a core that was
 * restarted meanwhile, until the node has answered, or is gone and its room with it, or for `NODE_GONE_MS`. A
 * room that goes on at another node takes its sessions along: then that node is told.
 */
import type { Logger } from "pino";
import type { Cancel, Clock } from "../../shared/clock.ts";
import { isFailure } from "../../shared/errors.ts";
import type { NodeId, PlayerId, SessionId } from "../../shared/ids.ts";
import type { Part } from "../../shared/lifecycle.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import { type EvictionKind, RELEASED_ROOM_MS } from "../../shared/protocol/link.ts";
import type { Database, Tx } from "../db/database.ts";
import { LogPace } from "../http/log-pace.ts";
import type { NodeCalls } from "../regions/node-calls.ts";
import type { NodeRecord } from "../regions/registry-step.ts";
import * as store from "./eviction-store.ts";

const PERIOD_MS = 1_000;
const AT_ONCE_MAX = 32;
const NODE_GONE_MS = 600_000;

export interface EvictionsDeps {
  readonly database: Database;
  readonly calls: Pick<NodeCalls, "evict">;
  /** The node, if it lives. */
  readonly liveNode: (nodeId: NodeId) => NodeRecord | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class Evictions implements Part {
  readonly name = "evictions";
  readonly #deps: EvictionsDeps;
  readonly #pace = new LogPace();
  readonly #outcomes: Counter<"outcome">;
  #cancel: Cancel = () => {};
  #running: Promise<void> | undefined;
  /** Told at once; as many as there are joins and bans under way, which are bounded. */
  readonly #telling = new Set<Promise<void>>();

  constructor(deps: EvictionsDeps) {
    this.#deps = deps;
    this.#outcomes = new Counter({
      name: "meridian_evictions_total",
      help: "Nodes told to end a session: done, node_gone, or the kind of the failure.",
      labelNames: ["outcome"],
      registers: [deps.metrics],
    });
  }

  start(): void {
    this.#cancel = this.#deps.clock.every(PERIOD_MS, () => this.carryOutSoon());
  }

  async stop(): Promise<void> {
    this.#cancel();
    await this.#running;
    await Promise.all(this.#telling);
  }

  /**
   * Fences the player's session and notes that it is to end.
   * @param closedUntil no join before then; undefined leaves that as it is
   * @returns the session, if there is one that got a seat
   */
  async order(
    tx: Tx,
    playerId: PlayerId,
    kind: EvictionKind,
    closedUntil?: Date | "infinity",
  ): Promise<SessionId | undefined> {
    const now = new Date(this.#deps.clock.nowMs());
    const session = await store.lockSession(tx, playerId, now);
    await store.fenceSession(tx, playerId, closedUntil);
    if (!session?.session_id) return undefined;
    await store.insertEviction(tx, { ...session, kind, created_at: now });
    return session.session_id;
  }

  /** Tells the nodes, in the background. */
  carryOutSoon(): void {
    this.#running ??= this.#round()
      .catch((err: unknown) => this.#noteUnread(err))
      .finally(() => {
        this.#running = undefined;
      });
  }

  /** Tells that session's node, in the background. What fails is done by a later round. */
  tellSoon(sessionId: SessionId): void {
    const telling = this.#tellOne(sessionId)
      .catch((err: unknown) => this.#noteUnread(err))
      .finally(() => this.#telling.delete(telling));
    this.#telling.add(telling);
  }

  /** Tells that session's node now. @returns whether it has been told */
  async carryOut(sessionId: SessionId): Promise<boolean> {
    await this.#tellOne(sessionId);
    return !(await store.isPending(this.#deps.database, sessionId));
  }

  async #round(): Promise<void> {
    const { database } = this.#deps;
    const due = await store.selectEvictions(database, this.#releasedBefore(), AT_ONCE_MAX);
    await Promise.all(due.map((eviction) => this.#tell(eviction)));
  }

  async #tellOne(sessionId: SessionId): Promise<void> {
    const { database } = this.#deps;
    const eviction = await store.selectEviction(database, this.#releasedBefore(), sessionId);
    if (eviction) await this.#tell(eviction);
  }

  #releasedBefore(): Date {
    return new Date(this.#deps.clock.nowMs() - RELEASED_ROOM_MS);
  }

  async #tell(eviction: store.DueEviction): Promise<void> {
    const { database, calls, liveNode, clock } = this.#deps;
    const { node_id: nodeId, room_id: roomId, session_id: sessionId, kind } = eviction;
    const node = liveNode(nodeId);
    const outcome = node
      ? await calls.evict(node, { roomId, sessionId, kind }).then(() => "done", failureKind)
      : "node_gone";
    this.#outcomes.inc({ outcome });
    const waitedMs = clock.nowMs() - eviction.created_at.getTime();
    const gone = !node && (eviction.room_over || waitedMs >= NODE_GONE_MS);
    if (outcome === "done" || gone) {
      await store.deleteEviction(database, sessionId);
      return;
    }
    await store.postponeEviction(database, sessionId);
    this.#noteFailure(nodeId, outcome);
  }

  #noteUnread(err: unknown): void {
    const held = this.#pace.permit(this.#deps.clock.monotonicMs());
    if (held === undefined) return;
    this.#deps.log.warn({ err, held, runbook: "core-evictions" }, "evictions can't be read");
  }

  #noteFailure(nodeId: NodeId, outcome: string): void {
    const held = this.#pace.permit(this.#deps.clock.monotonicMs());
    if (held === undefined) return;
    const about = { nodeId, outcome, held, runbook: "core-evictions" };
    this.#deps.log.warn(about, "a session that is to end could not be ended yet");
  }
}

function failureKind(error: unknown): string {
  return isFailure(error) ? error.kind : "internal";
}
