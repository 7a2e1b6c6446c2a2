/**
 * Claims new rooms at the core, which grants each its epoch. A room of ours does not tick before.
 *
 * A claim is retried under one id, so that a lost answer can't make two. A refusal, or no answer for
 * `CLAIM_DEADLINE_MS`, is final: the room must end.
 */
import { randomUUID } from "node:crypto";
import { type Clock, sleep } from "../../shared/clock.ts";
import type { Epoch } from "../../shared/epoch.ts";
import { isFailure } from "../../shared/errors.ts";
import type { GameName, NodeId, RoomId } from "../../shared/ids.ts";
import type { LinkClient } from "../../shared/link/link-client.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import { ClaimAnswer, type ClaimRequest } from "../../shared/protocol/link.ts";

const CLAIM_DEADLINE_MS = 10_000;
const ATTEMPT_DEADLINE_MS = 1_500;
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 1_000;

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
   * The epoch of a room that this node has made.
   * @param signal ends the attempts, when the room has ended
   * @throws {MeridianError} the refusal, or the failure of the last attempt
   */
  async claim(roomId: RoomId, game: GameName, signal: AbortSignal): Promise<Epoch> {
    const { nodeId, clock } = this.#options;
    const regionEpoch = this.#options.regionEpoch();
    const request: ClaimRequest = { claimId: randomUUID(), roomId, game, nodeId, regionEpoch };
    const endsAtMs = clock.monotonicMs() + CLAIM_DEADLINE_MS;
    for (let attempt = 0; ; attempt += 1) {
      try {
        const { roomEpoch } = await this.#ask(request);
        this.#outcomes.inc({ outcome: "granted" });
        return roomEpoch;
      } catch (error) {
        const delayMs = this.#delayMs(attempt);
        const late = clock.monotonicMs() + delayMs >= endsAtMs;
        if (signal.aborted || late || !isFailure(error) || !error.retryable) {
          this.#count(error, signal);
          throw error;
        }
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
