/** The server that regions connect to: mutual TLS, nobody without a certificate of our CA gets in. */
import type { Logger } from "pino";
import type { Clock } from "../../shared/clock.ts";
import { createHttpServer, type HttpServer } from "../../shared/http-server.ts";
import type { LinkIdentity } from "../../shared/link/identity.ts";
import { Counter, type Metrics } from "../../shared/metrics.ts";
import { LogPace } from "../http/log-pace.ts";

const BODY_BYTES_MAX = 256 * 1024;
const REQUEST_TIMEOUT_MS = 5_000;

export function createLinkServer(deps: {
  readonly identity: LinkIdentity;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}): HttpServer {
  const { identity, clock, log, metrics } = deps;
  const server = createHttpServer({
    log,
    bodyBytesMax: BODY_BYTES_MAX,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    mutualTls: identity,
  });
  const refused = new Counter({
    name: "meridian_link_handshakes_refused_total",
    help: "Connections to the link that ended before TLS was agreed on.",
    registers: [metrics],
  });
  const pace = new LogPace();
  server.server.on("tlsClientError", (err: Error) => {
    refused.inc();
    const held = pace.permit(clock.monotonicMs());
    if (held === undefined) return;
    log.warn({ reason: err.message, held, runbook: "core-link-refused" }, "link peer refused");
  });
  return server;
}
