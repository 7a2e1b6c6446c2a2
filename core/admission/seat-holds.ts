/**
 * Seats that are being taken, by id, over all cores: from the moment a core asks a region for one until the region
 * reports it, so that two cores don't send more players there than it has free.
 *
 * A cache: the region decides. Without Redis every core goes by what the region reported, and a player who is
 * one too many is refused there and asks elsewhere. A hold that nobody releases lapses.
 */
import { readFileSync } from "node:fs";
import type { Redis } from "ioredis";
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import type { RegionId } from "../../shared/ids.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import type { RedisConnection } from "../../shared/redis/connection.ts";
import { LogPace } from "../http/log-pace.ts";
import type { Holds } from "./admission.ts";
import { seatHoldsKey } from "./redis-keys.ts";

const TAKE_SEATS = readFileSync(new URL("./take-seats.lua", import.meta.url), "utf8");

export interface SeatHoldsDeps {
  readonly connection: Pick<RedisConnection, "redis" | "up">;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** What `defineCommand` adds. */
interface Scripts {
  takeSeats(key: string, ...args: readonly (string | number)[]): Promise<unknown>;
}

export class RedisSeatHolds implements Holds {
  readonly #deps: SeatHoldsDeps;
  readonly #redis: Redis & Scripts;
  readonly #taken: Counter<"outcome">;
  readonly #pace = new LogPace();

  constructor(deps: SeatHoldsDeps) {
    const { redis } = deps.connection;
    this.#deps = deps;
    redis.defineCommand("takeSeats", { numberOfKeys: 1, lua: TAKE_SEATS });
    this.#redis = redis as Redis & Scripts;
    this.#taken = new Counter({
      name: "meridian_seat_holds_total",
      help: "Seats asked for in the core's own Redis: held, refused, away or failed (let pass).",
      labelNames: ["outcome"],
      registers: [deps.metrics],
    });
  }

  /**
   * Holds all of these seats or none. An id that is held already is had again.
   * @param free how many the region reported
   * @param untilMs when they lapse, by the same clock as `nowMs`
   * @returns whether these fit into what the region has free; true when Redis is away
   */
  async take(
    regionId: RegionId,
    ids: readonly string[],
    free: number,
    untilMs: number,
    nowMs: number,
  ): Promise<boolean> {
    if (!this.#deps.connection.up) {
      this.#taken.inc({ outcome: "away" });
      return true;
    }
    try {
      const most = Math.min(free, Number.MAX_SAFE_INTEGER);
      const key = seatHoldsKey(regionId);
      const held = (await this.#redis.takeSeats(key, nowMs, untilMs, most, ...ids)) === 1;
      this.#taken.inc({ outcome: held ? "held" : "refused" });
      return held;
    } catch (err) {
      this.#failed(err);
      return true;
    }
  }

  /** The region reports them, or they are not needed. */
  release(regionId: RegionId, ids: readonly string[]): void {
    if (ids.length === 0 || !this.#deps.connection.up) return;
    // Those that stay lapse.
    this.#redis.zrem(seatHoldsKey(regionId), ...ids).catch((err) => this.#failed(err));
  }

  #failed(err: unknown): void {
    this.#taken.inc({ outcome: "failed" });
    const held = this.#pace.permit(this.#deps.clock.monotonicMs());
    if (held === undefined) return;
    this.#deps.log.warn(
      { err, held, runbook: "core-admission-redis" },
      "seats could not be held: the regions decide",
    );
  }
}
