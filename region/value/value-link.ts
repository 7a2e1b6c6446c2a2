/**
 * Brings rooms' operations to the core until their outcome is known.
 *
 * There are three: committed, refused, unknown. Unknown is one that was sent and got no answer, and it is
 * sent again under the same id until there is one: the core carries it out once. Without a lease nothing
 * new is sent at all, so that game code learns at once that the core is away. What is under way at a stop
 * ends with the process: the room's next owner does it again, by its cause.
 *
 * What was committed is kept for a while (`kept-ops.ts`), and sent again when the core's term rises
 * (`value-again.ts`): the core may have been restored to before.
 */
import type { Logger } from "pino";
import { type Clock, sleep } from "../../shared/clock.ts";
import { isFailure, MeridianError } from "../../shared/errors.ts";
import type { NodeId } from "../../shared/ids.ts";
import type { LinkClient } from "../../shared/link/link-client.ts";
import { Counter, Gauge, type Metrics } from "../../shared/metrics.ts";
import type { ReaffirmRoomsRequest } from "../../shared/protocol/link.ts";
import {
  RoomOps,
  type RoomOpsRequest,
  ValueAnswer,
  type ValueOp,
  type ValueRequest,
} from "../../shared/protocol/value.ts";
import type { OwnedRoom, ValueService } from "../rooms/room-value.ts";
import { KeptOps } from "./kept-ops.ts";
import { ValueAgain } from "./value-again.ts";

const ATTEMPT_DEADLINE_MS = 3_000;
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 2_000;
/** Of the node, sent or waiting to be sent again; the next one fails at once. */
const UNDER_WAY_MAX = 1_000;
/** After so many attempts in vain it is said once that an outcome is unknown. */
const TELLING_ATTEMPT = 4;

export interface ValueLinkOptions {
  readonly client: LinkClient;
  readonly coreAddress: string;
  readonly nodeId: NodeId;
  /** Whether the core answers. */
  readonly leaseHeld: () => boolean;
  /** The rooms that the node has, to tell a core that was restored to before. */
  readonly rooms: () => ReaffirmRoomsRequest["rooms"];
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class ValueLink implements ValueService {
  readonly #options: ValueLinkOptions;
  readonly #outcomes: Counter<"outcome">;
  readonly #stopped = new AbortController();
  readonly #kept = new KeptOps();
  readonly #again: ValueAgain;
  #underWay = 0;

  constructor(options: ValueLinkOptions) {
    this.#options = options;
    this.#outcomes = new Counter({
      name: "meridian_region_value_ops_total",
      help: "Operations on wallets and items by outcome: committed, refused, retried, or how they failed",
      labelNames: ["outcome"],
      registers: [options.metrics],
    });
    const underWay = () => this.#underWay;
    new Gauge({
      name: "meridian_region_value_ops_under_way",
      help: "Operations on wallets and items whose outcome is not known yet",
      registers: [options.metrics],
      collect() {
        this.set(underWay());
      },
    });
    const kept = this.#kept;
    new Gauge({
      name: "meridian_region_value_ops_kept",
      help: "Committed operations that are kept, in case the core is restored to before them",
      registers: [options.metrics],
      collect() {
        this.set(kept.count);
      },
    });
    this.#again = new ValueAgain({
      ...options,
      kept,
      signal: this.#stopped.signal,
      outcomes: this.#outcomes,
    });
  }

  /** The core said its term, as it does with each heartbeat. */
  termSeen(coreTerm: number): void {
    this.#again.termSeen(coreTerm);
  }

  async apply(room: OwnedRoom, op: ValueOp): Promise<ValueAnswer> {
    this.#requireRoom();
    this.#underWay += 1;
    try {
      const answer = await this.#untilKnown(room, op);
      this.#outcomes.inc({ outcome: answer.outcome });
      return answer;
    } catch (error) {
      this.#outcomes.inc({ outcome: isFailure(error) ? error.kind : "internal" });
      throw error;
    } finally {
      this.#underWay -= 1;
    }
  }

  async opsAfter({ roomId, roomEpoch }: OwnedRoom, opSeq: number): Promise<RoomOps> {
    const { client, coreAddress, nodeId } = this.#options;
    const body: RoomOpsRequest = { nodeId, roomId, roomEpoch, opSeq };
    return await client.call({
      address: coreAddress,
      peer: { role: "core" },
      path: "/link/room-ops",
      body,
      answer: RoomOps,
      deadlineMs: ATTEMPT_DEADLINE_MS,
    });
  }

  stop(): void {
    this.#stopped.abort();
  }

  #requireRoom(): void {
    const { leaseHeld } = this.#options;
    const full = this.#underWay >= UNDER_WAY_MAX;
    if (leaseHeld() && !full && !this.#stopped.signal.aborted) return;
    this.#outcomes.inc({ outcome: "not_sent" });
    throw new MeridianError("unavailable", {
      message: full
        ? "Too many operations wait for the core."
        : "The core does not answer at the moment: nothing was changed.",
    });
  }

  async #untilKnown(room: OwnedRoom, op: ValueOp): Promise<ValueAnswer> {
    const { nodeId, clock, log } = this.#options;
    const { signal } = this.#stopped;
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#again.settled;
        const { term: coreTerm } = this.#again;
        // What the room heard of, and the core's term, may be others than at the attempt before.
        const request = { ...room, nodeId, op, ...(coreTerm !== undefined && { coreTerm }) };
        const answer = await this.#ask(request);
        if (answer.outcome === "committed") this.#keep(request, answer.opSeq);
        return answer;
      } catch (error) {
        if (!isFailure(error) || !error.retryable || signal.aborted) throw error;
        this.#outcomes.inc({ outcome: "retried" });
        if (attempt === TELLING_ATTEMPT) {
          log.warn(
            { op: op.id, err: error, runbook: "region-value-unknown" },
            "the outcome of an operation is unknown: asking on",
          );
        }
      }
      await sleep(clock, this.#delayMs(attempt), signal);
    }
  }

  #keep({ roomId, op, coreTerm }: ValueRequest, opSeq: number): void {
    if (coreTerm === undefined) return;
    this.#kept.add({ roomId, opSeq, op, coreTerm }, this.#options.clock.monotonicMs());
    const { term = coreTerm } = this.#again;
    if (coreTerm < term) this.#again.sendAgain();
  }

  #ask(body: ValueRequest): Promise<ValueAnswer> {
    return this.#options.client.call({
      address: this.#options.coreAddress,
      peer: { role: "core" },
      path: "/link/value",
      body,
      answer: ValueAnswer,
      deadlineMs: ATTEMPT_DEADLINE_MS,
    });
  }

  /** Doubles up to two seconds, with full jitter above the smallest delay. */
  #delayMs(attempt: number): number {
    const ceilingMs = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** attempt);
    return RETRY_MIN_MS + this.#options.random() * (ceilingMs - RETRY_MIN_MS);
  }
}
