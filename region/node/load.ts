/** How busy the event loop is, sampled between heartbeats. */
import { type IntervalHistogram, monitorEventLoopDelay, performance } from "node:perf_hooks";
import { Gauge, type Metrics } from "../../shared/metrics.ts";
import type { Heartbeat } from "../../shared/protocol/link.ts";

/** The monitor is a timer of this period; what it measures includes the period itself. */
const RESOLUTION_MS = 10;
const NS_PER_MS = 1e6;

export type Load = Heartbeat["load"];

export class LoadMeter {
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #utilisation = performance.eventLoopUtilization();
  #last: Load = { eventLoopDelayP99Ms: 0, eventLoopUtilisation: 0, rssBytes: 0 };

  constructor(metrics: Metrics) {
    const gauge = (name: string, help: string, read: (load: Load) => number) => {
      const value = () => read(this.#last);
      new Gauge({
        name,
        help,
        registers: [metrics],
        collect() {
          this.set(value());
        },
      });
    };
    gauge(
      "meridian_region_event_loop_delay_p99_ms",
      "99th percentile of the event loop's delay over the last heartbeat period",
      (load) => load.eventLoopDelayP99Ms,
    );
    gauge(
      "meridian_region_event_loop_utilisation",
      "Share of time that the event loop was busy over the last heartbeat period, 0 to 1",
      (load) => load.eventLoopUtilisation,
    );
  }

  start(): void {
    this.#delay.enable();
  }

  stop(): void {
    this.#delay.disable();
  }

  /** The load since the last sample. */
  sample(): Load {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, this.#utilisation);
    this.#utilisation = now;
    const p99Ms = this.#delay.count > 0 ? this.#delay.percentile(99) / NS_PER_MS : 0;
    this.#delay.reset();
    this.#last = {
      eventLoopDelayP99Ms: Math.max(0, p99Ms - RESOLUTION_MS),
      eventLoopUtilisation: Math.min(1, Math.max(0, utilization)),
      rssBytes: process.memoryUsage.rss(),
    };
    return this.#last;
  }
}
