/**
 * What rooms of a region share besides their players: keys, counters and messages (`this.presence`), by
 * Colyseus' Redis presence, under a prefix of their own.
 *
 * Colyseus also uses it to call methods of rooms from other processes: whoever can write to Redis could
 * run any method of any room, with any arguments. Nodes of ours never ask each other for anything there,
 * so those channels are not listened to at all.
 *
 * Colyseus and most rooms let go of the promises of presence. A Redis that is away must not end the
 * process by one of them: each failure is counted, and whoever awaits it is told.
 */
import type { Presence } from "@colyseus/core";
import { RedisPresence } from "@colyseus/redis-presence";
import { Redis } from "ioredis";
import type { Logger } from "pino";
import type { RegionId } from "../../shared/ids.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import { sharedPrefix } from "./keys.ts";
import type { RegionRedis } from "./region-redis.ts";

/** The news of rooms, for Colyseus' lobbies: texts. */
const LOBBY = "$lobby";
/** Where a process and a room would take calls; a room may be called anything. */
const CALLS = /^(?:p:|\$(?!lobby$))/;
/** Where each process would write how many rooms it has, for choosing one; the core chooses here. */
const STATS_KEY = "roomcount";
const BLOCKING_MARGIN_MS = 1_000;
type Listener = (message: unknown) => void;

export interface RegionPresenceOptions {
  readonly redis: Pick<RegionRedis, "shared" | "listening">;
  readonly regionId: RegionId;
  readonly log: Logger;
  readonly metrics: Metrics;
}

export function createRegionPresence(options: RegionPresenceOptions): Presence {
  const failures = new Counter({
    name: "meridian_region_presence_failed_total",
    help: "Calls of presence by rooms that failed; the rooms play on",
    labelNames: ["call"],
    registers: [options.metrics],
  });
  const presence = new RegionPresence(options);
  return withCalls(presence, (call) => failures.inc({ call }));
}

/**
 * Colyseus gives each room an object that inherits from its presence, on which private members are
 * not to be had: so calls are bound to the presence itself.
 */
function withCalls(presence: Presence, failed: (call: string) => void): Presence {
  return new Proxy(presence, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== "function") return member;
      return (...args: unknown[]): unknown => {
        const done: unknown = member.apply(target, args);
        if (done instanceof Promise) done.catch(() => failed(String(name)));
        return done;
      };
    },
  });
}

class RegionPresence extends RedisPresence {
  readonly #prefix: string;
  readonly #shared: Redis;
  readonly #log: Logger;

  constructor({ redis: { shared, listening }, regionId, log }: RegionPresenceOptions) {
    // The stock class makes its second connection by `duplicate`; ours is one that is watched.
    shared.redis.duplicate = () => listening.redis;
    super(shared.redis);
    this.#prefix = sharedPrefix(regionId);
    this.#shared = shared.redis;
    this.#log = log;
    // It logs each failed attempt to connect, several a second; ours log the change.
    for (const { redis } of [shared, listening]) {
      const last = redis.listeners("error").at(-1);
      if (last) redis.off("error", last as Listener);
    }
  }

  /** Resolves while Redis is away, too: the stock class subscribes anew whenever it came back. */
  override async subscribe(topic: string, callback: Listener): Promise<this> {
    if (CALLS.test(topic)) return this;
    try {
      await super.subscribe(this.#prefix + topic, callback);
    } catch (err) {
      this.#log.info({ err, topic }, "presence listens to that once redis is back");
    }
    return this;
  }

  override async unsubscribe(topic: string, callback?: Listener): Promise<this> {
    if (!CALLS.test(topic)) await super.unsubscribe(this.#prefix + topic, callback);
    return this;
  }

  override publish(topic: string, data: unknown): Promise<void> {
    return super.publish(this.#prefix + topic, data);
  }

  override async channels(pattern = "*"): Promise<string[]> {
    const found = (await super.channels(this.#prefix + pattern)) as string[];
    return found.map((channel) => channel.slice(this.#prefix.length));
  }

  override async hset(key: string, field: string, value: string): Promise<boolean> {
    return key === STATS_KEY ? false : await super.hset(key, field, value);
  }

  /** On a connection of its own, which is ended when the time is up. */
  override async brpop(
    ...args: [...keys: string[], timeoutInSeconds: number]
  ): Promise<[string, string] | null> {
    const timeoutS = Number(args.at(-1));
    const blocking = Redis.prototype.duplicate.call(this.#shared, {
      enableOfflineQueue: true,
      failoverDetector: false,
      retryStrategy: () => null,
      commandTimeout: timeoutS * 1_000 + BLOCKING_MARGIN_MS,
    });
    // What goes wrong reaches the caller by the command.
    blocking.on("error", () => {});
    try {
      return await blocking.brpop(...args.slice(0, -1).map(String), timeoutS);
    } finally {
      blocking.disconnect();
    }
  }

  /** Its connections are ended by whoever made them. */
  override shutdown(): void {}

  /** A listener that fails keeps neither the others nor the process. */
  protected override handleSubscription = (channel: string, text: string): void => {
    const topic = channel.slice(this.#prefix.length);
    const message = parsed(text);
    if (message === undefined || (topic === LOBBY && typeof message !== "string")) return;
    for (const listener of this.subscriptions.listeners(channel)) {
      const hear = async () => listener(message);
      hear().catch((err: unknown) => {
        this.#log.error(
          { err, topic, runbook: "region-game-code" },
          "a listener of presence failed",
        );
      });
    }
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Nobody of ours writes that.
    return undefined;
  }
}
