/**
 * Asks nodes for seats. A node that does not answer in time is left for the next, and one that misses
 * several deadlines in a row is asked no more than once a second. If a late answer comes after all, the
 * seat is given back; one whose answer never comes lapses at the node by itself.
 */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { isFailure, MeridianError } from "../../shared/errors.ts";
import { Gathering } from "../../shared/gathering.ts";
import type { NodeId, SessionId } from "../../shared/ids.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import type { JoinMode } from "../../shared/protocol/join.ts";
import {
  RETURNS_PER_CALL_MAX,
  type ReconnectSeat,
  type ReserveAnswer,
  type ReserveRequest,
} from "../../shared/protocol/link.ts";
import { LogPace } from "../http/log-pace.ts";
import type { NodeCalls } from "../regions/node-calls.ts";
import type { Registry } from "../regions/registry.ts";
import { type NodeRecord, partsOf } from "../regions/registry-step.ts";
import { triesNext } from "./seat-search.ts";

/** A seat that is granted so long after its deadline is not given back but lapses. */
const LATE_MS = 10_000;
/** Small against the way to a node. */
const RETURNS_GATHER_MS = 5;

export interface SeatsDeps {
  readonly calls: NodeCalls;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly reserveDeadlineMs: number;
  /** Told of a node that did not answer in time, or could not be called. */
  readonly onSilent: (nodeId: NodeId) => void;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export interface TakenSeat {
  readonly node: NodeRecord;
  readonly seat: ReserveAnswer;
}

export class Seats {
  readonly #deps: SeatsDeps;
  readonly #pace = new LogPace();
  readonly #reserves: Counter<"region" | "outcome">;
  /** By node, while players are asked for who come back to it. */
  readonly #returns = new Map<NodeId, Gathering<ReconnectSeat, ReserveAnswer>>();

  constructor(deps: SeatsDeps) {
    this.#deps = deps;
    this.#reserves = new Counter({
      name: "meridian_reserves_total",
      help: "Seats asked of nodes: granted, late, or the kind of the failure.",
      labelNames: ["region", "outcome"],
      registers: [deps.metrics],
    });
  }

  /**
   * A seat at the first of `nodes` that grants one.
   * @throws {MeridianError} the first failure that asking elsewhere can't mend, or the last of all
   */
  async takeFirst(
    nodes: readonly NodeRecord[],
    request: ReserveRequest,
    mode: JoinMode,
  ): Promise<TakenSeat> {
    let last = new MeridianError("no_region");
    for (const node of nodes) {
      try {
        return { node, seat: await this.ask(node, request) };
      } catch (error) {
        if (!isFailure(error) || !triesNext(error, mode)) throw error;
        last = error;
      }
    }
    throw last;
  }

  /** @throws {MeridianError} the node's refusal; `timeout`; `unavailable` */
  async ask(node: NodeRecord, request: ReserveRequest): Promise<ReserveAnswer> {
    const { calls, registry, reserveDeadlineMs: deadlineMs } = this.#deps;
    const region = partsOf(node.nodeId).region;
    // A reconnection's seat was the player's before: only a new one goes back.
    const take = (late: ReserveAnswer): void => {
      this.#reserves.inc({ region, outcome: "late" });
      if (request.kind === "seat") this.giveBack(node, late);
    };
    try {
      const late = { waitMs: LATE_MS, take };
      const answer = await (request.kind === "reconnect"
        ? this.#returnsTo(node).ask(request)
        : calls.reserve(node, request, { deadlineMs, late }));
      if (answer.nodeId !== node.nodeId) {
        throw new MeridianError("unavailable", { message: "Another life of the node answered." });
      }
      this.#reserves.inc({ region, outcome: "granted" });
      if (request.kind === "seat") {
        registry.noteSeat(node.heartbeat.regionId, node.nodeId, answer.grant);
      }
      return answer;
    } catch (error) {
      const outcome = isFailure(error) ? error.kind : "internal";
      this.#reserves.inc({ region, outcome });
      this.#noteFailure(node, outcome, error);
      if (outcome === "unavailable" || outcome === "timeout") this.#deps.onSilent(node.nodeId);
      throw error;
    }
  }

  /** Gives a seat back, as far as the node can be told; otherwise it lapses there. */
  giveBack(
    node: NodeRecord,
    seat: { roomId: ReserveAnswer["roomId"]; sessionId: SessionId },
  ): void {
    const { calls, log } = this.#deps;
    const { roomId, sessionId } = seat;
    // Nobody waits for it: the failure is logged, and the seat lapses by itself.
    calls.release(node, { roomId, sessionId }).catch((err: unknown) => {
      log.info({ err, nodeId: node.nodeId, roomId }, "a seat could not be given back; it lapses");
    });
  }

  /** Players of a room that has moved come back to its node all at once. */
  #returnsTo(node: NodeRecord): Gathering<ReconnectSeat, ReserveAnswer> {
    const { nodeId } = node;
    const known = this.#returns.get(nodeId);
    if (known) return known;
    const { calls, clock, reserveDeadlineMs: deadlineMs } = this.#deps;
    // What is asked from the sending on is asked by the next one.
    const sent = () => this.#returns.delete(nodeId);
    const gathering = new Gathering<ReconnectSeat, ReserveAnswer>({
      gatherMs: RETURNS_GATHER_MS,
      mostItems: RETURNS_PER_CALL_MAX,
      alone(request) {
        sent();
        return calls.reserve(node, request, { deadlineMs });
      },
      together(requests) {
        sent();
        return calls.reserveMany(node, requests, deadlineMs);
      },
      clock,
    });
    this.#returns.set(nodeId, gathering);
    return gathering;
  }

  #noteFailure(node: NodeRecord, outcome: string, err: unknown): void {
    const { clock, log } = this.#deps;
    const held = this.#pace.permit(clock.monotonicMs());
    if (held === undefined) return;
    const about = { nodeId: node.nodeId, outcome, held, err, runbook: "core-joins-fail" };
    log.warn(about, "a node granted no seat");
  }
}
