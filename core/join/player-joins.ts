/**
 * Each player's own joins: one under way at a time, and a token bucket for how many follow each other.
 * Seats that a player is owed, for one that was lost, have a bucket of their own: they never wait for joins
 * of the moment, but whoever loses one after the other on purpose makes no flood of rooms.
 *
 * One under way, because each gives back the seat that the one before got, and two at once would both
 * find the same one. At most `BUCKETS_MAX` buckets are kept. Joins under way are bounded by the join gate.
 */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { MeridianError } from "../../shared/errors.ts";
import type { PlayerId } from "../../shared/ids.ts";
import { BucketTable, type Rate, waitMs } from "../accounts/bucket.ts";
import { LogPace } from "../http/log-pace.ts";

const BUCKETS_MAX = 100_000;
/** About as long as a join takes when regions are slow. */
const UNDER_WAY_RETRY_MS = 1_000;

export class PlayerJoins {
  readonly #rate: Rate;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #buckets = new BucketTable(BUCKETS_MAX);
  readonly #underWay = new Set<PlayerId>();
  readonly #pace = new LogPace();

  constructor(rate: Rate, { clock, log }: { readonly clock: Clock; readonly log: Logger }) {
    this.#rate = rate;
    this.#clock = clock;
    this.#log = log;
  }

  /** @throws {MeridianError} `too_many_requests`, with when to come back; what `work` throws */
  run<T>(playerId: PlayerId, work: () => Promise<T>): Promise<T> {
    return this.#run(playerId, `join ${playerId}`, work);
  }

  /** As `run`, for a player who is owed a seat. */
  owed<T>(playerId: PlayerId, work: () => Promise<T>): Promise<T> {
    return this.#run(playerId, `owed ${playerId}`, work);
  }

  get buckets(): number {
    return this.#buckets.size;
  }

  async #run<T>(playerId: PlayerId, bucket: string, work: () => Promise<T>): Promise<T> {
    if (this.#underWay.has(playerId)) throw this.#limited(playerId, UNDER_WAY_RETRY_MS);
    this.#take(playerId, bucket);
    this.#underWay.add(playerId);
    try {
      return await work();
    } finally {
      this.#underWay.delete(playerId);
    }
  }

  #take(playerId: PlayerId, key: string): void {
    const bucket = this.#buckets.at(key, this.#rate, this.#clock.monotonicMs());
    const retryAfterMs = waitMs(bucket, this.#rate);
    if (retryAfterMs > 0) throw this.#limited(playerId, retryAfterMs);
    this.#buckets.set(key, { ...bucket, tokens: bucket.tokens - 1 });
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
