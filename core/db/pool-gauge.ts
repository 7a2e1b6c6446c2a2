/** How a pool of connections is used, for Prometheus. */
import type pg from "pg";
import { Gauge, type Metrics } from "../../shared/metrics.ts";

export function gaugePool(pool: pg.Pool, metrics: Metrics): void {
  new Gauge({
    name: "meridian_db_connections",
    help: "Connections to the database, and callers that wait for one.",
    labelNames: ["state"],
    registers: [metrics],
    collect() {
      this.set({ state: "idle" }, pool.idleCount);
      this.set({ state: "busy" }, pool.totalCount - pool.idleCount);
      this.set({ state: "waiting" }, pool.waitingCount);
    },
  });
}
