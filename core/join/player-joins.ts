/**
 * Each player's own joins: one under way at a time, and a token bucket for how many follow each other.
 *
 * One under way, because each gives back the seat that the one before got, and two at once would both
 * find the same one. At most `PLAYERS_MAX` buckets are kept; the one that was not used for longest goes
 * first. Joins under way are bounded by the join gate.
 */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { PlayerId } from "../../shared/ids.ts";
import { type Bucket, type Rate, refill, waitMs } from "../accounts/bucket.ts";
import { LogPace } from "../http/log-pace.ts";

const PLAYERS_MAX = 50_000;
/** About as long as a join takes when regions are slow. */
const UNDER_WAY_RETRY_MS = 1_000;

export class PlayerJoins {
  readonly #rate: Rate;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #buckets = new Map<PlayerId, Bucket>();
  readonly #underWay = new Set<PlayerId>();
  readonly #pace = new LogPace();

  constructor(rate: Rate, { clock, log }: { readonly clock: Clock; readonly log: Logger }) {
    this.#rate = rate;
    this.#clock = clock;
    this.#log = log;
  }

  /** @throws {MeridianError} `too_many_requests`, with when to come back; what `work` throws */
  run<T>(playerId: PlayerId, work: () => Promise<T>): Promise<T> {
    return this.alone(playerId, () => {
      this.#take(playerId);
      return work();
    });
  }

  /** As `run`, but takes no token: for a player who is owed a seat. */
  async alone<T>(playerId: PlayerId, work: () => Promise<T>): Promise<T> {
    if (this.#underWay.has(playerId)) throw this.#limited(playerId, UNDER_WAY_RETRY_MS);
    this.#underWay.add(playerId);
    try {
      return await work();
    } finally {
      this.#underWay.delete(playerId);
    }
  }

  get players(): number {
    return this.#buckets.size;
  }

  #take(playerId: PlayerId): void {
    const nowMs = this.#clock.monotonicMs();
    const full = { tokens: this.#rate.burst, atMs: nowMs };
    const bucket = refill(this.#buckets.get(playerId) ?? full, this.#rate, nowMs);
    const retryAfterMs = waitMs(bucket, this.#rate);
    if (retryAfterMs > 0) throw this.#limited(playerId, retryAfterMs);
    // Maps keep the order of insertion: the first is the one that was not used for longest.
    this.#buckets.delete(playerId);
    this.#buckets.set(playerId, { ...bucket, tokens: bucket.tokens - 1 });
    if (this.#buckets.size <= PLAYERS_MAX) return;
    const [oldest] = this.#buckets.keys();
    if (oldest !== undefined) this.#buckets.delete(oldest);
  }

  #limited(playerId: PlayerId, retryAfterMs: number): MeridianError {
    const held = this.#pace.permit(this.#clock.monotonicMs());
    if (held !== undefined) {
      const about = { playerId, held, runbook: "core-joins-fail" };
      this.#log.warn(about, "a player's joins are being limited");
    }
    return new MeridianError("too_many_requests", { retryAfterMs });
  }
}
