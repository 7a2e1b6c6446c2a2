/** What operators see of the copying of rooms. */
import { Counter, Gauge, type Metrics } from "../../shared/metrics.ts";
import type { ReplicationReport } from "../../shared/protocol/failover.ts";

export interface ReplicationReadings {
  readonly report: () => ReplicationReport;
  readonly copyBytes: () => number;
}

export class ReplicationMetrics {
  readonly sentBytes: Counter;
  readonly dropped: Counter;
  readonly refused: Counter;
  readonly streams: Counter<"outcome">;

  constructor(metrics: Metrics, { report, copyBytes }: ReplicationReadings) {
    const registers = [metrics];
    this.sentBytes = new Counter({
      name: "meridian_region_replica_bytes_total",
      help: "Bytes of rooms' frames sent to standbys, before encryption.",
      registers,
    });
    this.dropped = new Counter({
      name: "meridian_region_replica_frames_dropped_total",
      help: "Frames that a standby could not take in time; each made its room begin again with a full one.",
      registers,
    });
    this.refused = new Counter({
      name: "meridian_region_replicas_refused_total",
      help: "Rooms that a standby had no place for.",
      registers,
    });
    this.streams = new Counter({
      name: "meridian_region_replica_streams_total",
      help: "Streams to standbys: begun, broken, or left because the standby was silent.",
      labelNames: ["outcome"],
      registers,
    });
    new Gauge({
      name: "meridian_region_replicated_rooms",
      help: "Rooms of this node that can be copied: protected by a whole copy at a standby, or not.",
      labelNames: ["state"],
      registers,
      collect() {
        const { protectedRooms, unprotectedRooms } = report();
        this.set({ state: "protected" }, protectedRooms);
        this.set({ state: "unprotected" }, unprotectedRooms);
      },
    });
    new Gauge({
      name: "meridian_region_replica_lag_ms",
      help: "How far the worst standby's copies of this node's rooms are behind.",
      registers,
      collect() {
        this.set(report().lagMs);
      },
    });
    new Gauge({
      name: "meridian_region_copies",
      help: "Copies of other nodes' rooms that this node keeps.",
      registers,
      collect() {
        this.set(report().copies);
      },
    });
    new Gauge({
      name: "meridian_region_copies_bytes",
      help: "Memory that those copies take.",
      registers,
      collect() {
        this.set(copyBytes());
      },
    });
  }
}
