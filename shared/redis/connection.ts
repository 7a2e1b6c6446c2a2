/**
 * One connection to a Redis, and whether it works.
 *
 * Commands fail fast: none is queued while the connection is down, none is resent by itself, each has
 * a deadline, and no more than `WAITING_MAX` wait at a time. The connection comes back by jittered
 * attempts, for ever. Whether it is up is asked by a PING every second, because a half-open socket looks
 * well until it is used. One that leaves a PING unanswered is given up for a new one: ioredis would keep
 * it, and every command it was ever given, until the kernel does, which takes a quarter of an hour.
 *
 * Of a group it is the connection to the present master, as Sentinels name it: `sentinels.ts`. One that it
 * has is kept while no Sentinel answers.
 */
import { type Command, Redis, type RedisOptions } from "ioredis";
import { type Cancel, type Clock, sleep } from "../clock.ts";
import { MeridianError } from "../errors.ts";
import { guardParsing } from "./guarded-parsing.ts";
import type { RedisMetrics } from "./metrics.ts";
import { parseRedisUrl } from "./redis-url.ts";
import { groupOptions, type SentinelEvents, saysNotToWrite } from "./sentinels.ts";

const COMMAND_TIMEOUT_MS = 500;
const CONNECT_TIMEOUT_MS = 1_000;
/** A socket that is given up may take this long to say goodbye. */
const DISCONNECT_TIMEOUT_MS = 200;
const PING_PERIOD_MS = 1_000;
const RECONNECT_MIN_MS = 100;
const RECONNECT_MAX_MS = 2_000;
/** Where Sentinels are, a new master may be there any moment. */
const RECONNECT_MAX_IN_GROUP_MS = 500;
/** The first attempt of a start may take so long; the next ones go on behind it. */
const START_WAIT_MS = 2_000;
/** A master without replicas refuses writes: the Sentinels are asked for another so often at most. */
const ASK_AGAIN_MS = 2_000;
/** Commands of one connection that were sent and not answered; past it the next ones fail at once. */
export const WAITING_MAX = 10_000;

/** Settings of every connection. */
const SAFE = {
  lazyConnect: true,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  // ioredis lets go of the promise: a refusal would end the process. Who subscribes does it again.
  autoResubscribe: false,
  maxRetriesPerRequest: 0,
  commandTimeout: COMMAND_TIMEOUT_MS,
  connectTimeout: CONNECT_TIMEOUT_MS,
  disconnectTimeout: DISCONNECT_TIMEOUT_MS,
  // Both ask for commands that our users in Redis have no use for.
  enableReadyCheck: false,
  disableClientInfo: true,
} satisfies RedisOptions;

export interface RedisConnectionOptions {
  /** In a form of `redis-url.ts`. */
  readonly url: string;
  /** What it is for, as metrics and log lines call it. */
  readonly name: string;
  /** Goes before every key. */
  readonly keyPrefix?: string;
  /** In place of the usual deadline: for a command that waits by its nature. */
  readonly commandTimeoutMs?: number;
  readonly clock: Clock;
  readonly metrics: RedisMetrics;
  /** An error of the connection itself; `up` tells whether it worked until then. */
  readonly onError?: (error: Error, up: boolean) => void;
  readonly onChange?: (up: boolean) => void;
  /** No Sentinel named a master, when the connection was to be made; with what the last one said. */
  readonly onNoMaster?: (error: Error | undefined) => void;
}

export class RedisConnection {
  readonly redis: Redis;
  readonly #options: RedisConnectionOptions;
  readonly #stopped = new AbortController();
  #up = false;
  #cancel: Cancel | undefined;
  #askAgainAtMs = Number.NEGATIVE_INFINITY;

  /** @throws {ConfigError} when the URL is wrong */
  constructor(options: RedisConnectionOptions) {
    const { url, name, keyPrefix = "", commandTimeoutMs, clock, metrics } = options;
    this.#options = options;
    const address = parseRedisUrl(url);
    const isGroup = address.kind === "group";
    const reconnectMaxMs = isGroup ? RECONNECT_MAX_IN_GROUP_MS : RECONNECT_MAX_MS;
    const events = this.#sentinelEvents();
    const settings: RedisOptions = {
      ...SAFE,
      keyPrefix,
      ...(commandTimeoutMs !== undefined && { commandTimeout: commandTimeoutMs }),
      retryStrategy: (attempt) => {
        const ceilingMs = Math.min(reconnectMaxMs, RECONNECT_MIN_MS * 2 ** attempt);
        return RECONNECT_MIN_MS + Math.random() * (ceilingMs - RECONNECT_MIN_MS);
      },
      reconnectOnError: (error) => this.#isLeft(error, isGroup),
    };
    this.redis = isGroup
      ? new BoundedRedis({
          ...settings,
          ...groupOptions(address, events, Math.random),
        })
      : new BoundedRedis(address.url, settings);
    guardParsing(this.redis);
    if (isGroup) {
      metrics.sentinels.set({ connection: name }, 0);
      this.redis.on("sentinelError", events.failed);
    }
    this.redis.on("error", (error: Error) => {
      metrics.errors.inc({ connection: name });
      options.onError?.(error, this.#up);
    });
    // ioredis gives up for good when it was interrupted while it asked Sentinels, or one lied to it.
    this.redis.on("end", () => {
      if (this.#stopped.signal.aborted) return;
      clock.after(RECONNECT_MIN_MS, () => this.#connectAgain());
    });
    metrics.watch(name, () => this.#up);
  }

  /** Whether the last PING was answered. */
  get up(): boolean {
    return this.#up;
  }

  /** Opens it and asks whether it works; watches from then on. Never rejects. */
  async start(): Promise<void> {
    const { clock } = this.#options;
    const over = new AbortController();
    const first = this.redis.connect().catch(() => {
      // The attempts go on by themselves; what matters is the answer to a PING.
    });
    await Promise.race([first, sleep(clock, START_WAIT_MS, over.signal)]);
    over.abort();
    await this.check();
    this.#cancel = clock.every(PING_PERIOD_MS, () => {
      // Never rejects.
      void this.#watch();
    });
  }

  stop(): void {
    this.#stopped.abort();
    this.#cancel?.();
    this.#up = false;
    this.redis.disconnect();
  }

  /** Asks now whether it works. Never rejects. */
  async check(): Promise<boolean> {
    const up = await this.#ping();
    if (up === this.#up) return up;
    this.#up = up;
    this.#options.onChange?.(up);
    return up;
  }

  async #watch(): Promise<void> {
    const up = await this.check();
    if (up || this.redis.status !== "ready") return;
    this.#options.metrics.replaced.inc({ connection: this.#options.name });
    this.redis.disconnect(true);
  }

  #connectAgain(): void {
    if (this.#stopped.signal.aborted || this.redis.status !== "end") return;
    this.redis.connect().catch(() => {
      // Its end brings us here again.
    });
  }

  /** @returns whether the connection is given up for one to another server */
  #isLeft(error: Error, isGroup: boolean): boolean {
    const says = saysNotToWrite(error);
    if (says === undefined || (says === "alone" && !isGroup)) return false;
    const { clock, metrics, name } = this.#options;
    const nowMs = clock.monotonicMs();
    if (nowMs < this.#askAgainAtMs) return false;
    this.#askAgainAtMs = nowMs + ASK_AGAIN_MS;
    metrics.left.inc({ connection: name, reason: says });
    return true;
  }

  #sentinelEvents(): SentinelEvents {
    const { metrics, name, onNoMaster } = this.#options;
    let last: Error | undefined;
    return {
      failed(error) {
        last = error;
        metrics.sentinelErrors.inc({ connection: name });
      },
      noneAnswers: () => onNoMaster?.(last),
      listening: (count) => metrics.sentinels.set({ connection: name }, count),
    };
  }

  async #ping(): Promise<boolean> {
    try {
      await this.redis.ping();
      return true;
    } catch {
      // Down, or too slow, which is the same to us; the reason is on the "error" event.
      return false;
    }
  }
}

/** What ioredis keeps of a connection; commands whose deadline has passed are in it still. */
interface Waiting {
  readonly commandQueue: { readonly length: number };
}

export function waitingCommands(redis: Redis): number {
  return (redis as unknown as Waiting).commandQueue.length;
}

/** ioredis bounds what waits for a connection, but not what waits for an answer. */
class BoundedRedis extends Redis {
  override sendCommand(...args: Parameters<Redis["sendCommand"]>): unknown {
    const [command] = args;
    if (waitingCommands(this) < WAITING_MAX) return super.sendCommand(...args);
    return refused(command);
  }
}

function refused(command: Command): Promise<unknown> {
  const message = `${WAITING_MAX} commands to Redis are unanswered`;
  command.reject(new MeridianError("unavailable", { message }));
  return command.promise;
}
