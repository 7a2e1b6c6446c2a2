/**
 * Claims new rooms at the core, which grants each its epoch. A room of ours does not tick before.
 *
 * A claim is retried under one id, so that a lost answer can't make two. A refusal, or no answer for
 * `CLAIM_DEADLINE_MS`, is final: the room must end.
 */
import { randomUUID } from "node:crypto";
import { type Clock, sleep } from "../../shared/clock.ts";
import type { Epoch } from "../../shared/epoch.ts";
import { isFailure, MeridianError } from "../../shared/errors.ts";
import type { GameName, NodeId, RoomId } from "../../shared/ids.ts";
import type { LinkClient } from "../../shared/link/link-client.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import { ClaimAnswer, type ClaimRequest } from "../../shared/protocol/link.ts";
import { RoomOps, type RoomOpsRequest } from "../../shared/protocol/value.ts";

const CLAIM_DEADLINE_MS = 10_000;
const ATTEMPT_DEADLINE_MS = 1_500;
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 1_000;
/** Of operations that a restored room has missed, 200 each; a room that is further behind is given up. */
const ROOM_OPS_ANSWERS_MAX = 50;

/** A room as it is claimed. */
export interface RoomToClaim {
  readonly roomId: RoomId;
  readonly game: GameName;
  /** Of one that is restored: up to where it knows its operations. */
  readonly opSeq?: number | undefined;
  /** Likewise: the epoch of the owner whose state it is. */
  readonly formerEpoch?: Epoch | undefined;
}

export interface Granted {
  readonly roomEpoch: Epoch;
  /** The operations that it does not know, in one or several answers; none from an older core. */
  readonly roomOps: readonly RoomOps[];
}

export interface ClaimsOptions {
  readonly client: LinkClient;
  readonly coreAddress: string;
  readonly nodeId: NodeId;
  /** The region's life in which the node serves. */
  readonly regionEpoch: () => Epoch;
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  readonly metrics: Metrics;
}

export class Claims {
  readonly #options: ClaimsOptions;
  readonly #outcomes: Counter<"outcome">;

  constructor(options: ClaimsOptions) {
    this.#options = options;
    this.#outcomes = new Counter({
      name: "meridian_region_claims_total",
      help: "Claims of rooms by outcome: granted, retried, abandoned, or the kind of refusal",
      labelNames: ["outcome"],
      registers: [options.metrics],
    });
  }

  /**
   * The epoch of a room that this node has made, and what was committed for it that it does not know.
   * @param signal ends the attempts, when the room has ended
   * @throws {MeridianError} the refusal, or the failure of the last attempt
   */
  async claim(room: RoomToClaim, signal: AbortSignal): Promise<Granted> {
    const { roomId, game, opSeq, formerEpoch } = room;
    const { nodeId, clock } = this.#options;
    const known = { ...(opSeq !== undefined && { opSeq }), ...(formerEpoch && { formerEpoch }) };
    const regionEpoch = this.#options.regionEpoch();
    const asked = { claimId: randomUUID(), roomId, game, nodeId, regionEpoch };
    const request: ClaimRequest = { ...asked, ...known };
    const endsAtMs = clock.monotonicMs() + CLAIM_DEADLINE_MS;
    try {
      const answer = await this.#retried(() => this.#ask(request), endsAtMs, signal);
      const { roomEpoch } = answer;
      const roomOps: RoomOps[] = answer.roomOps ? [answer.roomOps] : [];
      for (let last = answer.roomOps; last?.more; ) {
        if (roomOps.length >= ROOM_OPS_ANSWERS_MAX) {
          throw new MeridianError("internal", { message: "The room is too far behind." });
        }
        const after = { nodeId, roomId, roomEpoch, opSeq: last.upTo };
        last = await this.#retried(() => this.#askForMore(after), endsAtMs, signal);
        roomOps.push(last);
      }
      this.#outcomes.inc({ outcome: "granted" });
      return { roomEpoch, roomOps };
    } catch (error) {
      this.#count(error, signal);
      throw error;
    }
  }

  async #retried<T>(ask: () => Promise<T>, endsAtMs: number, signal: AbortSignal): Promise<T> {
    const { clock } = this.#options;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await ask();
      } catch (error) {
        const delayMs = this.#delayMs(attempt);
        const late = clock.monotonicMs() + delayMs >= endsAtMs;
        if (signal.aborted || late || !isFailure(error) || !error.retryable) throw error;
        this.#outcomes.inc({ outcome: "retried" });
        await sleep(clock, delayMs, signal);
      }
    }
  }

  #ask(body: ClaimRequest): Promise<ClaimAnswer> {
    return this.#options.client.call({
      address: this.#options.coreAddress,
      peer: { role: "core" },
      path: "/link/claim",
      body,
      answer: ClaimAnswer,
      deadlineMs: ATTEMPT_DEADLINE_MS,
    });
  }

  #askForMore(body: RoomOpsRequest): Promise<RoomOps> {
    return this.#options.client.call({
      address: this.#options.coreAddress,
      peer: { role: "core" },
      path: "/link/room-ops",
      body,
      answer: RoomOps,
      deadlineMs: ATTEMPT_DEADLINE_MS,
    });
  }

  /** Doubles up to a second, with full jitter above the smallest delay. */
  #delayMs(attempt: number): number {
    const ceilingMs = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** attempt);
    return RETRY_MIN_MS + this.#options.random() * (ceilingMs - RETRY_MIN_MS);
  }

  #count(error: unknown, signal: AbortSignal): void {
    const kind = isFailure(error) ? error.kind : "internal";
    this.#outcomes.inc({ outcome: signal.aborted ? "abandoned" : kind });
  }
}
