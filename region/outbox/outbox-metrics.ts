/** What operators see of a node's outbox. */
import { Counter, Gauge, Histogram, type Metrics } from "../../shared/metrics.ts";

export interface Backlog {
  readonly items: number;
  readonly bytes: number;
  /** How long the oldest of it has waited, ms. */
  readonly ageMs: number;
}

export class OutboxMetrics {
  readonly appends: Counter<"outcome">;
  readonly appendMs: Histogram;
  readonly batches: Counter<"outcome">;
  readonly sent: Counter;
  readonly refused: Counter;
  readonly full: Counter;
  readonly takenOver: Counter<"outcome">;

  constructor(metrics: Metrics, backlog: () => Backlog) {
    const registers = [metrics];
    this.appends = new Counter({
      name: "meridian_region_outbox_appends_total",
      help: "Entries written to the region's Redis: done, failed, or lost: Redis did not hold what it had",
      labelNames: ["outcome"],
      registers,
    });
    this.appendMs = new Histogram({
      name: "meridian_region_outbox_append_ms",
      help: "How long Redis took for an entry, ms",
      buckets: [0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500],
      registers,
    });
    this.batches = new Counter({
      name: "meridian_region_outbox_batches_total",
      help: "Batches sent to the core by outcome, and how they failed",
      labelNames: ["outcome"],
      registers,
    });
    this.sent = new Counter({
      name: "meridian_region_outbox_items_sent_total",
      help: "Merged changes and release markers that the core took",
      registers,
    });
    this.refused = new Counter({
      name: "meridian_region_outbox_items_refused_total",
      help: "Changes that came too late: their players have another owner. The core keeps them",
      registers,
    });
    this.full = new Counter({
      name: "meridian_region_outbox_full_total",
      help: "Changes that rooms could not make because the outbox was full",
      registers,
    });
    this.takenOver = new Counter({
      name: "meridian_region_outbox_taken_over_total",
      help: "Streams of dead nodes that were sent on: drained, or unreadable after some entry",
      labelNames: ["outcome"],
      registers,
    });
    gauge(metrics, "items", "Changes and entries that wait for the core", () => backlog().items);
    gauge(metrics, "bytes", "The same in bytes", () => backlog().bytes);
    gauge(metrics, "age_ms", "How long the oldest of them has waited, ms", () => backlog().ageMs);
  }
}

function gauge(metrics: Metrics, of: string, help: string, read: () => number): void {
  new Gauge({
    name: `meridian_region_outbox_backlog_${of}`,
    help,
    registers: [metrics],
    collect() {
      this.set(read());
    },
  });
}
