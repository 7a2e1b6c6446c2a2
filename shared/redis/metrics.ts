/** What a process says about its connections to its Redis, by what each is for. */
import { Counter, Gauge, type Metrics } from "../metrics.ts";

export class RedisMetrics {
  readonly errors: Counter<"connection">;
  readonly replaced: Counter<"connection">;
  readonly left: Counter<"connection" | "reason">;
  readonly sentinelErrors: Counter<"connection">;
  /** Only of connections to a group. */
  readonly sentinels: Gauge<"connection">;
  readonly #up = new Map<string, () => boolean>();

  /** @param whose `region` or `core`: each has a Redis of its own */
  constructor(metrics: Metrics, whose: "region" | "core") {
    this.errors = new Counter({
      name: `meridian_${whose}_redis_errors_total`,
      help: `Errors of the connections to the ${whose}'s own Redis`,
      labelNames: ["connection"],
      registers: [metrics],
    });
    this.replaced = new Counter({
      name: `meridian_${whose}_redis_replaced_total`,
      help: `Connections to the ${whose}'s own Redis given up because a PING went unanswered`,
      labelNames: ["connection"],
      registers: [metrics],
    });
    this.left = new Counter({
      name: `meridian_${whose}_redis_left_total`,
      help:
        `Connections to the ${whose}'s own Redis given up for the present master: the server was none ` +
        "(demoted), or had no replicas (alone)",
      labelNames: ["connection", "reason"],
      registers: [metrics],
    });
    this.sentinelErrors = new Counter({
      name: `meridian_${whose}_redis_sentinel_errors_total`,
      help: `Errors of the connections to the Sentinels of the ${whose}'s own Redis`,
      labelNames: ["connection"],
      registers: [metrics],
    });
    this.sentinels = new Gauge({
      name: `meridian_${whose}_redis_sentinels`,
      help: `Sentinels of the ${whose}'s own Redis that are listened to for a new master`,
      labelNames: ["connection"],
      registers: [metrics],
    });
    const states = this.#up;
    new Gauge({
      name: `meridian_${whose}_redis_up`,
      help: `1 while the ${whose}'s own Redis answers on that connection`,
      labelNames: ["connection"],
      registers: [metrics],
      collect() {
        for (const [connection, up] of states) this.set({ connection }, up() ? 1 : 0);
      },
    });
  }

  /** From now on its gauge tells of that connection. */
  watch(connection: string, up: () => boolean): void {
    this.#up.set(connection, up);
  }
}
