/** What is known of the players' connections: how many there are, and how many were one too many. */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import type { HttpServer } from "../../shared/http-server.ts";
import { Counter, Gauge, type Metrics } from "../../shared/metrics.ts";
import { LogPace } from "./log-pace.ts";

export function watchConnections(
  { server }: HttpServer,
  { clock, log, metrics }: { clock: Clock; log: Logger; metrics: Metrics },
): void {
  const pace = new LogPace();
  const refused = new Counter({
    name: "meridian_http_connections_refused_total",
    help: "Connections of players that were closed at once, because there were too many.",
    registers: [metrics],
  });
  let open = 0;
  new Gauge({
    name: "meridian_http_connections",
    help: "Open connections of players to the core.",
    registers: [metrics],
    collect() {
      this.set(open);
    },
  });
  server.on("connection", (socket) => {
    open += 1;
    socket.once("close", () => {
      open -= 1;
    });
  });
  server.on("drop", () => {
    refused.inc();
    const held = pace.permit(clock.monotonicMs());
    if (held === undefined) return;
    const details = { open, held, runbook: "core-calls-refused" };
    log.warn(details, "too many connections of players");
  });
}
