/**
 * The core's own Redis: the mirror of the queue, and the seats that are being taken. A cache: players wait, join
 * and play on without it, so the core starts beside one that does not answer, and is as well without one.
 *
 * Two connections, so that a mirror that is written anew holds up nobody who takes a seat.
 */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import type { Part } from "../../shared/lifecycle.ts";
import type { Metrics } from "../../shared/metrics.ts";
import { RedisConnection } from "../../shared/redis/connection.ts";
import { RedisMetrics } from "../../shared/redis/metrics.ts";

export interface AdmissionRedisOptions {
  /** Undefined: there is none. */
  readonly url: string | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export class AdmissionRedis implements Part {
  readonly name = "redis of admission";
  /** For the mirror of the queue; undefined without a Redis. */
  readonly queue: RedisConnection | undefined;
  /** For the seats that are being taken; undefined without a Redis. */
  readonly seats: RedisConnection | undefined;
  readonly #log: Logger;
  #started = false;

  constructor({ url, clock, log, metrics }: AdmissionRedisOptions) {
    this.#log = log;
    if (url === undefined) return;
    const common = { url, clock, metrics: new RedisMetrics(metrics, "core") };
    this.queue = new RedisConnection({
      ...common,
      name: "queue",
      onError(err, up) {
        const runbook = "core-admission-redis";
        if (up) log.warn({ err, runbook }, "admission's redis: the connection failed");
      },
      onChange: (up) => {
        if (!this.#started) return;
        const runbook = "core-admission-redis";
        if (up) log.info("admission's redis is back");
        else log.error({ runbook }, "admission's redis is down: the queue goes on without it");
      },
      onNoMaster: (err) =>
        log.error(
          { err, runbook: "redis-failover" },
          "no sentinel names a master of admission's redis: asking on",
        ),
    });
    this.seats = new RedisConnection({ ...common, name: "seats" });
  }

  /** Waits for no Redis that does not answer. Never rejects. */
  async start(): Promise<void> {
    const { queue, seats } = this;
    if (!queue || !seats) {
      this.#log.info("no ADMISSION_REDIS_URL: the queue lives in memory and by its tokens alone");
      return;
    }
    await Promise.all([queue.start(), seats.start()]);
    this.#started = true;
    if (queue.up) return;
    this.#log.warn(
      { runbook: "core-admission-redis" },
      "admission's redis does not answer yet: the queue begins without it",
    );
  }

  stop(): void {
    this.queue?.stop();
    this.seats?.stop();
  }
}
