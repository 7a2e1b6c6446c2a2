/** How fast one player may look others up: a token bucket each. At most `BUCKETS_MAX` are kept. */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { PlayerId } from "../../shared/ids.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import { BucketTable, type Rate, waitMs } from "../accounts/bucket.ts";
import { LogPace } from "../http/log-pace.ts";

const BUCKETS_MAX = 100_000;

export interface LookUpLimitDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class LookUpLimit {
  readonly #rate: Rate;
  readonly #deps: LookUpLimitDeps;
  readonly #limited: Counter;
  readonly #buckets = new BucketTable(BUCKETS_MAX);
  readonly #pace = new LogPace();

  constructor(rate: Rate, deps: LookUpLimitDeps) {
    this.#rate = rate;
    this.#deps = deps;
    this.#limited = new Counter({
      name: "meridian_profile_look_ups_limited_total",
      help: "Look-ups that were refused because that player made too many.",
      registers: [deps.metrics],
    });
  }

  /** @throws {MeridianError} `too_many_requests`, with when to come back */
  take(playerId: PlayerId): void {
    const nowMs = this.#deps.clock.monotonicMs();
    const bucket = this.#buckets.at(playerId, this.#rate, nowMs);
    const retryAfterMs = waitMs(bucket, this.#rate);
    if (retryAfterMs > 0) throw this.#refusal(playerId, retryAfterMs, nowMs);
    this.#buckets.set(playerId, { ...bucket, tokens: bucket.tokens - 1 });
  }

  #refusal(playerId: PlayerId, retryAfterMs: number, nowMs: number): MeridianError {
    this.#limited.inc();
    const held = this.#pace.permit(nowMs);
    if (held !== undefined) {
      const about = { playerId, held, runbook: "core-profiles" };
      this.#deps.log.warn(about, "a player's look-ups are being limited");
    }
    return new MeridianError("too_many_requests", { retryAfterMs });
  }
}
