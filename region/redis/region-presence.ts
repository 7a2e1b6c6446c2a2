/**
 * What rooms of a region share besides their players: keys, counters and messages (`this.presence`), by
 * Colyseus' Redis presence, under a prefix of their own.
 *
 * Colyseus also uses it to call methods of rooms from other processes: whoever can write to Redis could
 * run any method of any room, with any arguments. Nodes of ours never ask each other for anything there,
 * so those channels are not listened to at all.
 */
import { RedisPresence } from "@colyseus/redis-presence";
import { Redis } from "ioredis";
import type { RegionId } from "../../shared/ids.ts";
import { sharedPrefix } from "./keys.ts";
import type { RegionRedis } from "./region-redis.ts";

/** Where a process and a room would take calls. A room's id is always as long; no topic of a game is. */
const CALLS = /^(?:p:|\$[\w-]{16}$)/;
/** Where each process would write how many rooms it has, for choosing one; the core chooses here. */
const STATS_KEY = "roomcount";
const BLOCKING_MARGIN_MS = 1_000;
type Listener = (message: unknown) => void;

export class RegionPresence extends RedisPresence {
  readonly #prefix: string;
  readonly #shared: Redis;

  constructor(
    { shared, listening }: Pick<RegionRedis, "shared" | "listening">,
    regionId: RegionId,
  ) {
    // The stock class makes its second connection by `duplicate`; ours is one that is watched.
    shared.redis.duplicate = () => listening.redis;
    super(shared.redis);
    this.#prefix = sharedPrefix(regionId);
    this.#shared = shared.redis;
    // It logs each failed attempt to connect, several a second; ours log the change.
    for (const { redis } of [shared, listening]) {
      const last = redis.listeners("error").at(-1);
      if (last) redis.off("error", last as Listener);
    }
  }

  override async subscribe(topic: string, callback: Listener): Promise<this> {
    if (!CALLS.test(topic)) await super.subscribe(this.#prefix + topic, callback);
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
}
