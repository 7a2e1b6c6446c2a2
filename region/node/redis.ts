/**
 * The region's own Redis. Nothing of value lives only there; rooms play on without it.
 *
 * Commands fail fast: none is queued while the connection is down, none is resent by itself, each has
 * a deadline. The connection comes back by jittered attempts, for ever. Whether it is up is asked by
 * a PING every second, because a half-open socket looks well until it is used. One that leaves a PING
 * unanswered is given up for a new one: ioredis would keep it, and every command it was ever given,
 * until the kernel does, which takes a quarter of an hour.
 */
import { Redis } from "ioredis";
import type { Logger } from "pino";
import { type Cancel, type Clock, sleep } from "../../shared/clock.ts";
import { Counter, Gauge, type Metrics } from "../../shared/metrics.ts";

const COMMAND_TIMEOUT_MS = 500;
const CONNECT_TIMEOUT_MS = 1_000;
/** A socket that is given up may take this long to say goodbye. */
const DISCONNECT_TIMEOUT_MS = 200;
const PING_PERIOD_MS = 1_000;
const BOOT_DEADLINE_MS = 15_000;
const BOOT_RETRY_MS = 500;
const RECONNECT_MIN_MS = 100;
const RECONNECT_MAX_MS = 2_000;

export interface RegionRedisOptions {
  readonly url: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** How long to wait for it at the start; 15 s by default. */
  readonly bootDeadlineMs?: number;
}

export class RegionRedis {
  readonly redis: Redis;
  readonly #options: RegionRedisOptions;
  readonly #errors: Counter;
  readonly #replaced: Counter;
  #up = false;
  #cancel: Cancel | undefined;

  constructor(options: RegionRedisOptions) {
    this.#options = options;
    this.#errors = new Counter({
      name: "meridian_region_redis_errors_total",
      help: "Errors of the connection to the region's own Redis",
      registers: [options.metrics],
    });
    this.#replaced = new Counter({
      name: "meridian_region_redis_replaced_total",
      help: "Connections to the region's own Redis given up because a PING went unanswered",
      registers: [options.metrics],
    });
    const up = () => (this.#up ? 1 : 0);
    new Gauge({
      name: "meridian_region_redis_up",
      help: "1 while the region's own Redis answers",
      registers: [options.metrics],
      collect() {
        this.set(up());
      },
    });
    this.redis = new Redis(options.url, {
      lazyConnect: true,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      commandTimeout: COMMAND_TIMEOUT_MS,
      connectTimeout: CONNECT_TIMEOUT_MS,
      disconnectTimeout: DISCONNECT_TIMEOUT_MS,
      retryStrategy: (attempt) => {
        const ceilingMs = Math.min(RECONNECT_MAX_MS, RECONNECT_MIN_MS * 2 ** attempt);
        return RECONNECT_MIN_MS + Math.random() * (ceilingMs - RECONNECT_MIN_MS);
      },
    });
    this.redis.on("error", (err: Error) => {
      this.#errors.inc();
      if (this.#up)
        options.log.warn({ err, runbook: "region-redis" }, "redis: the connection failed");
    });
  }

  get state(): "up" | "down" {
    return this.#up ? "up" : "down";
  }

  /** @throws when Redis did not answer within the deadline */
  async start(): Promise<void> {
    const { clock, log, bootDeadlineMs = BOOT_DEADLINE_MS } = this.#options;
    const endsAtMs = clock.monotonicMs() + bootDeadlineMs;
    await this.redis.connect().catch(() => {
      // The attempts go on by themselves; what matters is the answer to a PING, below.
    });
    while (!(await this.#ping())) {
      if (clock.monotonicMs() >= endsAtMs) {
        this.redis.disconnect();
        throw new Error(`redis did not answer within ${bootDeadlineMs} ms: is REDIS_URL right?`);
      }
      log.warn({ runbook: "region-redis" }, "redis does not answer yet; trying again");
      await sleep(clock, BOOT_RETRY_MS);
    }
    this.#up = true;
    this.#cancel = clock.every(PING_PERIOD_MS, () => {
      // Never rejects.
      void this.#watch();
    });
  }

  stop(): void {
    this.#cancel?.();
    this.redis.disconnect();
  }

  async #watch(): Promise<void> {
    const up = await this.#ping();
    if (!up && this.redis.status === "ready") {
      this.#replaced.inc();
      this.redis.disconnect(true);
    }
    if (up === this.#up) return;
    this.#up = up;
    if (up) this.#options.log.info("redis is back");
    else this.#options.log.error({ runbook: "region-redis" }, "redis is down: rooms play on");
  }

  async #ping(): Promise<boolean> {
    try {
      return (await this.redis.ping()) === "PONG";
    } catch {
      // Down, or too slow, which is the same to us; the reason is on the "error" event.
      return false;
    }
  }
}
