/** What Prometheus sees of the mirror of the queue. */
import { Counter, Gauge, type Metrics } from "../../shared/metrics.ts";

export class MirrorMetrics {
  readonly failures: Counter<"call">;
  readonly lost: Counter;
  readonly skipped: Counter;

  /** @param pending changes that wait to be written */
  constructor(metrics: Metrics, pending: () => number) {
    this.failures = new Counter({
      name: "meridian_queue_mirror_failed_total",
      help: "Loads of the queue's mirror without a queue to be trusted, failed writes, overflows.",
      labelNames: ["call"],
      registers: [metrics],
    });
    this.lost = new Counter({
      name: "meridian_queue_mirror_lost_total",
      help: "Times that Redis lost the queue while the core ran; it was written anew.",
      registers: [metrics],
    });
    this.skipped = new Counter({
      name: "meridian_queue_mirror_skipped_total",
      help: "Entries of the queue's mirror that were none.",
      registers: [metrics],
    });
    new Gauge({
      name: "meridian_queue_mirror_pending",
      help: "Changes of the queue that its mirror has not got yet.",
      registers: [metrics],
      collect() {
        this.set(pending());
      },
    });
  }
}
