/** What a node says about its connections to the region's Redis, by what each is for. */
import { Counter, Gauge, type Metrics } from "../../shared/metrics.ts";

export class RedisMetrics {
  readonly errors: Counter<"connection">;
  readonly replaced: Counter<"connection">;
  readonly #up = new Map<string, () => boolean>();

  constructor(metrics: Metrics) {
    this.errors = new Counter({
      name: "meridian_region_redis_errors_total",
      help: "Errors of the connections to the region's own Redis",
      labelNames: ["connection"],
      registers: [metrics],
    });
    this.replaced = new Counter({
      name: "meridian_region_redis_replaced_total",
      help: "Connections to the region's own Redis given up because a PING went unanswered",
      labelNames: ["connection"],
      registers: [metrics],
    });
    const states = this.#up;
    new Gauge({
      name: "meridian_region_redis_up",
      help: "1 while the region's own Redis answers on that connection",
      labelNames: ["connection"],
      registers: [metrics],
      collect() {
        for (const [connection, up] of states) this.set({ connection }, up() ? 1 : 0);
      },
    });
  }

  /** From now on `meridian_region_redis_up` tells of that connection. */
  watch(connection: string, up: () => boolean): void {
    this.#up.set(connection, up);
  }
}
