/**
 * The region's own Redis. Nothing of value lives only there; rooms play on without it.
 *
 * Four connections, so that none holds up the others: for the node's own state, for what game code
 * shares with the region's other nodes, for the outbox, and for the messages that it listens to (which in Redis takes a
 * connection of its own). Whether Redis is up is what the first one says.
 */
import type { Redis } from "ioredis";
import type { Logger } from "pino";
import { type Clock, sleep } from "../../shared/clock.ts";
import type { RegionId } from "../../shared/ids.ts";
import type { Metrics } from "../../shared/metrics.ts";
import { RedisConnection } from "../../shared/redis/connection.ts";
import { RedisMetrics } from "../../shared/redis/metrics.ts";
import { sharedPrefix } from "./keys.ts";

const BOOT_DEADLINE_MS = 15_000;
const BOOT_RETRY_MS = 500;

export interface RegionRedisOptions {
  /** In a form of `redis-url.ts`. */
  readonly url: string;
  readonly regionId: RegionId;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** How long to wait for it at the start; 15 s by default. */
  readonly bootDeadlineMs?: number;
}

export class RegionRedis {
  /** For what nodes of the region share: rooms' listings, presence. Its keys have a prefix of their own. */
  readonly shared: RedisConnection;
  /** For players' changes on their way to the core: large ones must not hold up the others. */
  readonly outbox: RedisConnection;
  /** Listens to the channels of presence. */
  readonly listening: RedisConnection;
  readonly #state: RedisConnection;
  readonly #options: RegionRedisOptions;
  #started = false;

  constructor(options: RegionRedisOptions) {
    const { url, regionId, clock, log } = options;
    this.#options = options;
    const common = { url, clock, metrics: new RedisMetrics(options.metrics, "region") };
    this.#state = new RedisConnection({
      ...common,
      name: "state",
      onError(err, up) {
        if (up) log.warn({ err, runbook: "region-redis" }, "redis: the connection failed");
      },
      onChange: (up) => {
        if (!this.#started) return;
        if (up) log.info("redis is back");
        else log.error({ runbook: "region-redis" }, "redis is down: rooms play on");
      },
      onNoMaster: (err) =>
        log.error(
          { err, runbook: "redis-failover" },
          "no sentinel names a master of redis: asking on",
        ),
    });
    this.shared = new RedisConnection({
      ...common,
      name: "shared",
      keyPrefix: sharedPrefix(regionId),
    });
    this.outbox = new RedisConnection({ ...common, name: "outbox" });
    this.listening = new RedisConnection({ ...common, name: "listening" });
  }

  get redis(): Redis {
    return this.#state.redis;
  }

  get state(): "up" | "down" {
    return this.#state.up ? "up" : "down";
  }

  /** @throws when Redis did not answer within the deadline */
  async start(): Promise<void> {
    const { clock, log, bootDeadlineMs = BOOT_DEADLINE_MS } = this.#options;
    const endsAtMs = clock.monotonicMs() + bootDeadlineMs;
    await this.#state.start();
    while (!this.#state.up) {
      if (clock.monotonicMs() >= endsAtMs) {
        this.stop();
        throw new Error(`redis did not answer within ${bootDeadlineMs} ms: is REDIS_URL right?`);
      }
      log.warn({ runbook: "region-redis" }, "redis does not answer yet; trying again");
      await sleep(clock, BOOT_RETRY_MS);
      await this.#state.check();
    }
    this.#started = true;
    await Promise.all([this.shared.start(), this.outbox.start(), this.listening.start()]);
  }

  stop(): void {
    for (const connection of [this.#state, this.shared, this.outbox, this.listening])
      connection.stop();
  }
}
