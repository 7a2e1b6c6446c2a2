/** How busy the event loop is. One samples it, the overload gate: a sample begins where the last ended. */
import { type IntervalHistogram, monitorEventLoopDelay, performance } from "node:perf_hooks";
import { Gauge, type Metrics } from "../../shared/metrics.ts";
import type { Heartbeat } from "../../shared/protocol/link.ts";

/** The monitor is a timer of this period; what it measures includes the period itself. */
const RESOLUTION_MS = 10;
const NS_PER_MS = 1e6;
const US_PER_MS = 1e3;

export type Load = Heartbeat["load"];

export class LoadMeter {
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  #utilisation = performance.eventLoopUtilization();
  #cpu = process.cpuUsage();
  #cpuAtMs = performance.now();
  #cpuShare = 0;
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
      "99th percentile of the event loop's delay over the last half second",
      (load) => load.eventLoopDelayP99Ms,
    );
    gauge(
      "meridian_region_event_loop_utilisation",
      "Share of time that the event loop was busy over the last half second, 0 to 1",
      (load) => load.eventLoopUtilisation,
    );
  }

  start(): void {
    this.#delay.enable();
  }

  stop(): void {
    this.#delay.disable();
  }

  /** As it was at the last sample. */
  get last(): Load {
    return this.#last;
  }

  /** CPU time of the process between the last two samples, all threads, as a share of that time. */
  get cpuShare(): number {
    return this.#cpuShare;
  }

  /** The load since the last sample. */
  sample(): Load {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, this.#utilisation);
    this.#utilisation = now;
    this.#sampleCpu();
    const p99Ms = this.#delay.count > 0 ? this.#delay.percentile(99) / NS_PER_MS : 0;
    this.#delay.reset();
    this.#last = {
      eventLoopDelayP99Ms: Math.max(0, p99Ms - RESOLUTION_MS),
      eventLoopUtilisation: Math.min(1, Math.max(0, utilization)),
      rssBytes: process.memoryUsage.rss(),
    };
    return this.#last;
  }

  #sampleCpu(): void {
    const nowMs = performance.now();
    const cpu = process.cpuUsage();
    const usedUs = cpu.user + cpu.system - this.#cpu.user - this.#cpu.system;
    this.#cpuShare = usedUs / US_PER_MS / Math.max(1, nowMs - this.#cpuAtMs);
    this.#cpu = cpu;
    this.#cpuAtMs = nowMs;
  }
}
